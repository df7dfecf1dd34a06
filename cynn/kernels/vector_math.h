/* exp, tanh and a finiteness test that the compiler can vectorize: no branches, no calls, no tables.
 *
 * Cody and Waite's range reduction with the polynomials and rational functions of Cephes (Moshier).
 * float: at most 2 ULP over the whole range, denormal results included; +-infinity and NaN are right.
 * Must be compiled without -fassociative-math: the order of the subtractions is the algorithm.
 */
#ifndef CYNN_VECTOR_MATH_H
#define CYNN_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

/* 2^n as a product of two normal numbers, so that denormal and overflowing results come out right. */
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
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return cynn_scale_f32(p * (r * r) + r + 1.0f, n);
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
    double square = r * r;
    double p = 1.26177193074810590878e-4;
    p = p * square + 3.02994407707441961300e-2;
    p = (p * square + 9.99999999999999999910e-1) * r;
    double q = 3.00198505138664455042e-6;
    q = q * square + 2.52448340349684104192e-3;
    q = q * square + 2.27265548208155028766e-1;
    q = q * square + 2.0;
    return cynn_scale_f64(1.0 + 2.0 * (p / (q - p)), n);
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

static inline double cynn_tanh_f64(double x)
{
    double magnitude = x < 0.0 ? -x : x;
    double far = 1.0 - 2.0 / (cynn_exp_f64(2.0 * magnitude) + 1.0);
    far = x < 0.0 ? -far : far;
    double square = x * x;
    double p = -9.64399179425052238628e-1;
    p = p * square - 9.92877231001918586564e1;
    p = p * square - 1.61468768441708447952e3;
    double q = square + 1.12811678491631932402e2;
    q = q * square + 2.23548839060100448583e3;
    q = q * square + 4.84406305325125486048e3;
    double near = p / q * square * x + x;
    return magnitude < 0.625 ? near : far;
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
