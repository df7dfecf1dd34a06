/* Functions that the compiler can vectorize: no branches, no calls, no tables. Plain C, for plugins too.
 *
 *   exp, expm1, tanh     Cody and Waite's range reduction, polynomials and rational functions of Cephes (Moshier)
 *                        (in tanh of float64 a polynomial of our own)
 *   log, log1p           the reduction of fdlibm: log(1 + f) by s = f / (2 + f), with a polynomial of our own
 *   erf, erfc            exp(-x^2) times a polynomial in (x - K) / (x + K) (Schonfelder, 1978), of our own too
 *   sin, cos             Cody and Waite's reduction by pi / 2, and polynomials of Cephes
 *
 * The largest errors are 1 ULP for log, 2 for exp, log1p and tanh, 3 for erf, 5 for erfc and expm1, over the whole
 * range, with denormal results, too, except those of erfc (tests/engine/test_vector_math.py). +-infinity, zeros and NaN
 * give the right results. For sin and cos, it is 2 ULP up to |x| = CYNN_FAR_F32 and CYNN_FAR_F64. Beyond these, they
 * lose digits: call those of the C library.
 * Compile without -fassociative-math: the order of the subtractions matters. gcc vectorizes a loop over these functions
 * only with -fno-math-errno and -fno-trapping-math.
 */
#ifndef CYNN_VECTOR_MATH_H
#define CYNN_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* y 2^n. 2^n is a product of two normal numbers, so that denormal and overflowing results are right. */
static inline float cynn_scale_f32(float y, int32_t n)
{
    int32_t half = n >> 1;
    uint32_t first_bits = (uint32_t)(half + 127) << 23, second_bits = (uint32_t)(n - half + 127) << 23;
    float first, second;
    memcpy(&first, &first_bits, 4);
    memcpy(&second, &second_bits, 4);
    return y * first * second;
}

static inline double cynn_scale_f64(double y, int64_t n)
{
    /* n + 2048 is positive: a logical shift vectorizes where an arithmetic one does not (AVX2) */
    int64_t half = (int64_t)((uint64_t)(n + 2048) >> 1) - 1024;
    uint64_t first_bits = (uint64_t)(half + 1023) << 52, second_bits = (uint64_t)(n - half + 1023) << 52;
    double first, second;
    memcpy(&first, &first_bits, 8);
    memcpy(&second, &second_bits, 8);
    return y * first * second;
}

/* exp(r) - 1 for |r| <= log(2) / 2 */
static inline float cynn_expm1_near_f32(float r)
{
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return p * (r * r) + r;
}

static inline double cynn_expm1_near_f64(double r)
{
    double square = r * r;
    double p = 1.26177193074810590878e-4;
    p = p * square + 3.02994407707441961300e-2;
    p = (p * square + 9.99999999999999999910e-1) * r;
    double q = 3.00198505138664455042e-6;
    q = q * square + 2.52448340349684104192e-3;
    q = q * square + 2.27265548208155028766e-1;
    q = q * square + 2.0;
    return 2.0 * (p / (q - p));
}

static inline float cynn_exp_f32(float x)
{
    /* beyond these the result is infinity or zero; a NaN fails both comparisons and stays */
    x = x > 89.0f ? 89.0f : x;
    x = x < -105.0f ? -105.0f : x;
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    float shifted = x * 1.44269504088896341f + magic;
    float rounded = shifted - magic;
    uint32_t bits, magic_bits;
    memcpy(&bits, &shifted, 4);
    memcpy(&magic_bits, &magic, 4);
    int32_t n = (int32_t)(bits - magic_bits);
    float r = x - rounded * 0.693359375f;
    r = r - rounded * -2.12194440e-4f;
    return cynn_scale_f32(cynn_expm1_near_f32(r) + 1.0f, n);
}

static inline double cynn_exp_f64(double x)
{
    x = x > 710.0 ? 710.0 : x;
    x = x < -746.0 ? -746.0 : x;
    const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
    double shifted = x * 1.4426950408889634074 + magic;
    double rounded = shifted - magic;
    uint64_t bits, magic_bits;
    memcpy(&bits, &shifted, 8);
    memcpy(&magic_bits, &magic, 8);
    int64_t n = (int64_t)(bits - magic_bits);
    double r = x - rounded * 6.93145751953125e-1;
    r = r - rounded * 1.42860682030941723212e-6;
    return cynn_scale_f64(1.0 + cynn_expm1_near_f64(r), n);
}

static inline float cynn_expm1_f32(float x)
{
    float near = cynn_expm1_near_f32(x), far = cynn_exp_f32(x) - 1.0f;
    return x > -0.34f && x < 0.34f ? near : far;
}

static inline double cynn_expm1_f64(double x)
{
    double near = cynn_expm1_near_f64(x), far = cynn_exp_f64(x) - 1.0;
    return x > -0.34 && x < 0.34 ? near : far;
}

/* x = 2^n (1 + f) with 1 + f between sqrt(1/2) and sqrt(2) */
static inline float cynn_log_f32(float x)
{
    float normal = x < 1.17549435e-38f ? x * 8388608.0f : x; /* a denormal times 2^23 */
    float shift = x < 1.17549435e-38f ? 23.0f : 0.0f;
    uint32_t bits, fraction_bits;
    memcpy(&bits, &normal, 4);
    uint32_t raised = bits + (0x3f800000u - 0x3f3504f3u); /* carries into the exponent from sqrt(1/2) on */
    float n = (float)((int32_t)(raised >> 23) - 127) - shift;
    fraction_bits = (raised & 0x007fffffu) + 0x3f3504f3u;
    float fraction;
    memcpy(&fraction, &fraction_bits, 4);
    float f = fraction - 1.0f;
    float s = f / (2.0f + f), square = s * s, half = 0.5f * f * f;
    float p = 0.2333069667f;
    p = p * square + 0.2855081238f;
    p = p * square + 0.4000012191f;
    p = p * square + 0.6666666655f;
    float result = f - (half - (s * (half + square * p) + n * -2.12194440e-4f)) + n * 0.693359375f;
    result = x == 0.0f ? -INFINITY : result;
    result = x < 0.0f ? NAN : result;
    return x < INFINITY ? result : x; /* infinity and NaN are returned unchanged */
}

static inline double cynn_log_f64(double x)
{
    double normal = x < 2.2250738585072014e-308 ? x * 18014398509481984.0 : x; /* a denormal times 2^54 */
    double shift = x < 2.2250738585072014e-308 ? 54.0 : 0.0;
    uint64_t bits, fraction_bits, exponent_bits;
    memcpy(&bits, &normal, 8);
    uint64_t raised = bits + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    exponent_bits = (raised >> 52) | 0x4330000000000000u; /* 2^52 + exponent: no conversion of 64-bit integers */
    double exponent, fraction;
    memcpy(&exponent, &exponent_bits, 8);
    double n = exponent - 4503599627371519.0 - shift; /* 2^52 + 1023 */
    fraction_bits = (raised & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu;
    memcpy(&fraction, &fraction_bits, 8);
    double f = fraction - 1.0;
    double s = f / (2.0 + f), square = s * s, half = 0.5 * f * f;
    double p = 0.130869078879650275;
    p = p * square + 0.132687461955965946;
    p = p * square + 0.153862407089696642;
    p = p * square + 0.181817956216327823;
    p = p * square + 0.222222223918870656;
    p = p * square + 0.28571428570802848;
    p = p * square + 0.400000000000008782;
    p = p * square + 0.666666666666666665;
    double result = f - (half - (s * (half + square * p) + n * 1.42860682030941723212e-6)) + n * 6.93145751953125e-1;
    result = x == 0.0 ? -INFINITY : result;
    result = x < 0.0 ? NAN : result;
    return x < INFINITY ? result : x;
}

/* log(1 + x) = log(u) + e / u, where u = 1 + x is rounded, and e is what the rounding has lost */
static inline float cynn_log1p_f32(float x)
{
    float u = 1.0f + x;
    float correction = (x - (u - 1.0f)) / u;
    return cynn_log_f32(u) + (u > 0.0f && u < INFINITY ? correction : 0.0f);
}

static inline double cynn_log1p_f64(double x)
{
    double u = 1.0 + x;
    double correction = (x - (u - 1.0)) / u;
    return cynn_log_f64(u) + (u > 0.0 && u < INFINITY ? correction : 0.0);
}

/* erfc(x) = exp(-x^2) g(t) / (1 + 2 x) for x >= 0. The rounding error of x^2 matters: Dekker's split computes it. */
static inline float cynn_erfc_f32(float x)
{
    float magnitude = x < 0.0f ? -x : x;
    magnitude = magnitude > 10.5f ? 10.5f : magnitude; /* the result is zero from 10.06 on */
    uint32_t bits;
    memcpy(&bits, &magnitude, 4);
    bits &= 0xfffff000u;
    float high;
    memcpy(&high, &bits, 4);
    float low = magnitude - high, square = magnitude * magnitude;
    float error = ((high * high - square) + 2.0f * high * low) + low * low;
    float t = (magnitude - 2.0f) / (magnitude + 2.0f);
    float g = 2.686109285e-5f;
    g = g * t - 0.0003622954924f;
    g = g * t - 0.00124995839f;
    g = g * t + 0.001273455174f;
    g = g * t + 0.008635760434f;
    g = g * t - 0.008045565182f;
    g = g * t - 0.05420453925f;
    g = g * t + 0.1640534215f;
    g = g * t - 0.1660314027f;
    g = g * t - 0.09276391145f;
    g = g * t + 1.276978393f;
    float y = cynn_exp_f32(-square) * ((g - g * error) / (1.0f + 2.0f * magnitude));
    return x < 0.0f ? 2.0f - y : y;
}

static inline double cynn_erfc_f64(double x)
{
    double magnitude = x < 0.0 ? -x : x;
    magnitude = magnitude > 28.0 ? 28.0 : magnitude; /* the result is zero from 27.23 on */
    uint64_t bits;
    memcpy(&bits, &magnitude, 8);
    bits &= 0xfffffffff8000000u;
    double high;
    memcpy(&high, &bits, 8);
    double low = magnitude - high, square = magnitude * magnitude;
    double error = ((high * high - square) + 2.0 * high * low) + low * low;
    double t = (magnitude - 4.0) / (magnitude + 4.0);
    double g = -1.82060986803086833e-9;
    g = g * t - 1.36709898633473824e-8;
    g = g * t - 7.71541861441783013e-9;
    g = g * t + 1.15349437457541573e-7;
    g = g * t + 6.27072715719831088e-8;
    g = g * t - 8.35161968869684708e-7;
    g = g * t + 3.01350499448753948e-7;
    g = g * t + 5.7178872846321852e-6;
    g = g * t - 0.0000112247891351547007;
    g = g * t - 0.000024403169244974075;
    g = g * t + 0.000150622243948302992;
    g = g * t - 0.000199255507556149521;
    g = g * t - 0.000757773341413330045;
    g = g * t + 0.00503196975589542611;
    g = g * t - 0.0161977340591150071;
    g = g * t + 0.037167515562492866;
    g = g * t - 0.0663303658115293841;
    g = g * t + 0.0937328349967941159;
    g = g * t - 0.101039066036352132;
    g = g * t + 0.0680970542547373239;
    g = g * t + 0.0153796521026207413;
    g = g * t - 0.139621116840562894;
    g = g * t + 1.23299511862555251;
    double y = cynn_exp_f64(-square) * ((g - g * error) / (1.0 + 2.0 * magnitude));
    return x < 0.0 ? 2.0 - y : y;
}

static inline float cynn_erf_f32(float x)
{
    float square = x * x;
    float p = 0.004718891886f;
    p = p * square - 0.02675764919f;
    p = p * square + 0.1128283031f;
    p = p * square - 0.3761260896f;
    p = p * square + 1.128379166f;
    float far = 1.0f - cynn_erfc_f32(x);
    return x > -0.5f && x < 0.5f ? x * p : far;
}

static inline double cynn_erf_f64(double x)
{
    double square = x * x;
    double p = 1.47252112522667391e-6;
    p = p * square - 0.0000148457878904217241;
    p = p * square + 0.000120533327959668649;
    p = p * square - 0.000854829770790689734;
    p = p * square + 0.00522397737252599622;
    p = p * square - 0.0268661706328590011;
    p = p * square + 0.112837916709252709;
    p = p * square - 0.376126389031834727;
    p = p * square + 1.12837916709551257;
    double far = 1.0 - cynn_erfc_f64(x);
    return x > -0.5 && x < 0.5 ? x * p : far;
}

static inline float cynn_tanh_f32(float x)
{
    float magnitude = x < 0.0f ? -x : x;
    float far = 1.0f - 2.0f / (cynn_exp_f32(2.0f * magnitude) + 1.0f);
    far = x < 0.0f ? -far : far;
    float square = x * x;
    float p = -5.70498872745e-3f;
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    float near = p * square * x + x;
    return magnitude < 0.625f ? near : far;
}

/* e / (e + 2) with e = exp(2 |x|) - 1 = 2^n (exp(r) - 1) + 2^n - 1: one division, and one polynomial for all x. */
static inline double cynn_tanh_f64(double x)
{
    double magnitude = x < 0.0 ? -x : x;
    magnitude = magnitude > 20.0 ? 20.0 : magnitude; /* the result is 1 from 19.1 on; a NaN stays */
    const double magic = 6755399441055744.0;         /* 1.5 * 2^52 */
    double shifted = (magnitude * 2.8853900817779268147 - 0.5) + magic; /* rounded down: nothing cancels in e */
    double rounded = shifted - magic;
    uint64_t bits, magic_bits;
    memcpy(&bits, &shifted, 8);
    memcpy(&magic_bits, &magic, 8);
    uint64_t power_bits = (bits - magic_bits + 1023) << 52;
    double power; /* 2^n */
    memcpy(&power, &power_bits, 8);
    double r = 2.0 * magnitude - rounded * 6.93145751953125e-1;
    r = r - rounded * 1.42860682030941723212e-6;
    double p = 2.80579344348516321e-9;
    p = p * r + 2.38091566197537906e-8;
    p = p * r + 2.76758184920138499e-7;
    p = p * r + 2.75503755461023421e-6;
    p = p * r + 0.0000248018473172948712;
    p = p * r + 0.000198412636076341732;
    p = p * r + 0.00138888889818622189;
    p = p * r + 0.00833333333252566237;
    p = p * r + 0.0416666666667025988;
    p = p * r + 0.166666666666666044;
    p = p * r + 0.500000000000000002;
    double e = power * (p * (r * r) + r) + (power - 1.0), sum = e + 2.0;
    double y = e / sum, rest = 1.0 - y;
    y = y - y * (rest * rest) * (0.5 * (e - (sum - 2.0))); /* the last digit: what rounding took from a small sum */
    return copysign(y, x);
}

#define CYNN_FAR_F32 8192.0f
#define CYNN_FAR_F64 1e6

/* x = n pi / 2 + r with |r| <= pi / 4. The last two bits of n select sin r, cos r, -sin r or -cos r. */
static inline float cynn_quarter_turns_f32(float x, uint32_t *n)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    float shifted = x * 0.636619772367581343f + magic;
    float rounded = shifted - magic;
    memcpy(n, &shifted, 4);
    float r = x - rounded * 1.5703125f;
    r = r - rounded * 4.837512969970703125e-4f;
    r = r - rounded * 7.549533620476723e-08f;
    return r - rounded * 2.563344068e-12f;
}

static inline double cynn_quarter_turns_f64(double x, uint64_t *n)
{
    const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
    double shifted = x * 0.636619772367581343075535 + magic;
    double rounded = shifted - magic;
    memcpy(n, &shifted, 8);
    double r = x - rounded * 1.57079632673412561417;
    r = r - rounded * 6.07710050630396597660e-11;
    return r - rounded * 2.02226624879595063154e-21;
}

static inline float cynn_sine_near_f32(float r)
{
    float square = r * r;
    float p = -1.9515295891e-4f;
    p = p * square + 8.3321608736e-3f;
    p = p * square - 1.6666654611e-1f;
    return p * square * r + r;
}

static inline double cynn_sine_near_f64(double r)
{
    double square = r * r;
    double p = 1.58962301576546568060e-10;
    p = p * square - 2.50507477628578072866e-8;
    p = p * square + 2.75573136213857245213e-6;
    p = p * square - 1.98412698295895385996e-4;
    p = p * square + 8.33333333332211858878e-3;
    p = p * square - 1.66666666666666307295e-1;
    return p * square * r + r;
}

static inline float cynn_cosine_near_f32(float r)
{
    float square = r * r;
    float p = 2.443315711809948e-5f;
    p = p * square - 1.388731625493765e-3f;
    p = p * square + 4.166664568298827e-2f;
    return p * square * square - 0.5f * square + 1.0f;
}

static inline double cynn_cosine_near_f64(double r)
{
    double square = r * r;
    double p = -1.13585365213876817300e-11;
    p = p * square + 2.08757008419747316778e-9;
    p = p * square - 2.75573141792967388112e-7;
    p = p * square + 2.48015872888517045348e-5;
    p = p * square - 1.38888888888730564116e-3;
    p = p * square + 4.16666666666665929218e-2;
    return p * square * square - 0.5 * square + 1.0;
}

static inline float cynn_negated_if_f32(float y, uint32_t condition)
{
    uint32_t bits;
    memcpy(&bits, &y, 4);
    bits ^= condition << 31;
    memcpy(&y, &bits, 4);
    return y;
}

static inline double cynn_negated_if_f64(double y, uint64_t condition)
{
    uint64_t bits;
    memcpy(&bits, &y, 8);
    bits ^= condition << 63;
    memcpy(&y, &bits, 8);
    return y;
}

static inline float cynn_sin_f32(float x)
{
    uint32_t n;
    float r = cynn_quarter_turns_f32(x, &n);
    float sine = cynn_sine_near_f32(r), cosine = cynn_cosine_near_f32(r);
    return cynn_negated_if_f32(n & 1 ? cosine : sine, n >> 1);
}

static inline double cynn_sin_f64(double x)
{
    uint64_t n;
    double r = cynn_quarter_turns_f64(x, &n);
    double sine = cynn_sine_near_f64(r), cosine = cynn_cosine_near_f64(r);
    return cynn_negated_if_f64(n & 1 ? cosine : sine, n >> 1);
}

static inline float cynn_cos_f32(float x)
{
    uint32_t n;
    float r = cynn_quarter_turns_f32(x, &n);
    float sine = cynn_sine_near_f32(r), cosine = cynn_cosine_near_f32(r);
    return cynn_negated_if_f32(n & 1 ? sine : cosine, (n + 1) >> 1);
}

static inline double cynn_cos_f64(double x)
{
    uint64_t n;
    double r = cynn_quarter_turns_f64(x, &n);
    double sine = cynn_sine_near_f64(r), cosine = cynn_cosine_near_f64(r);
    return cynn_negated_if_f64(n & 1 ? sine : cosine, (n + 1) >> 1);
}

/* 1 for an infinity or a NaN, found in the bits so that a loop over it vectorizes */
static inline int cynn_nonfinite_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

static inline int cynn_nonfinite_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return (bits & 0x7ff0000000000000u) == 0x7ff0000000000000u;
}

#endif
