"""Noise that is added to activations during training: dropout, alpha dropout, Gaussian noise.

The random number of an element depends on the seed, the operation, the epoch, the step and its place in the batch,
row * units + column. It does not depend on tiles and threads. Philox computes 32 blocks at once, which give the random
words of 128 places: place 32 j + k uses word j of block k.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cynn cimport vector_math
from cynn.abi cimport (
    CYNN_AFFINE_IN_X,
    CYNN_GRADIENT_IN_PLACE,
    CYNN_IN_PLACE,
    CYNN_ONLY_TRAINING,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    operation_capsule,
)
from cynn.blas cimport CYNN_BLAS_CAPSULE, cynn_blas

cdef extern from "philox.h" nogil:
    void cynn_philox_lanes(
        uint64_t key, uint32_t first, uint32_t step, uint32_t epoch, uint32_t purpose, int64_t n_groups,
        uint32_t *words
    ) noexcept

cdef extern from *:
    """
    /* The Taylor coefficients of sin(x) / x and cos(x) in x^2: 1/n! with alternating signs, the highest power first.
       For |x| <= pi/4 the series are exact to 1e-17. */
    enum { CYNN_TERMS = 9 };
    static const double cynn_sine[CYNN_TERMS] = {
        1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880,
        -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1
    };
    static const double cynn_cosine[CYNN_TERMS] = {
        1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320,
        -1.0 / 720, 1.0 / 24, -1.0 / 2, 1
    };
    """
    const int TERMS "CYNN_TERMS"
    const double *SINE "cynn_sine"
    const double *COSINE "cynn_cosine"

cdef enum:
    NOISE = 4          # randomness.Purpose.NOISE, in the low 8 bits of a word, below the operation's number
    LANES = 32         # must equal CYNN_LANES
    GROUP = 128
    CHUNK = 1024       # how many words are drawn at a time


cdef inline int64_t draw_from(
    const cynn_operands *op, const cynn_pass *pass_, int64_t place, int64_t end, uint32_t *words, int64_t *stop
) noexcept nogil:
    """Draw the words for the places from `place` to `stop`, at most to `end`. Returns the place of words[0]."""
    cdef int64_t group = place // GROUP
    stop[0] = min(group * GROUP + CHUNK, end)
    cynn_philox_lanes(
        pass_.seed, <uint32_t>(group * LANES), pass_.step, pass_.epoch, NOISE | (op.number << 8),
        (stop[0] - group * GROUP + GROUP - 1) // GROUP, words
    )
    return group * GROUP


cdef inline void pass_on(const cynn_operands *op, int64_t begin, int64_t end, floating *out) noexcept nogil:
    """out := x, for predictions, which have no noise."""
    cdef const floating *x = <const floating *>op.x[0]
    if x != out:
        memcpy(out + begin * op.units, x + begin * op.units, (end - begin) * op.units * sizeof(floating))


# h: rate, slope, kept, dropped. A kept element x becomes slope x + kept, a dropped one `dropped`.
cdef void dropout_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef uint32_t[CHUNK] words
    cdef int64_t place = begin * op.units, last = end * op.units
    cdef int64_t first, i, stop = 0
    cdef uint32_t threshold = <uint32_t>(op.h[0] * 4294967296.0)
    cdef floating slope = <floating>op.h[1], kept = <floating>op.h[2], dropped = <floating>op.h[3]
    cdef floating factor
    cdef const floating *x = <const floating *>op.x[0]
    cdef floating *factors = <floating *>op.saved[0]
    if not pass_.training:
        pass_on(op, begin, end, out)
        return
    while place < last:
        first = draw_from(op, pass_, place, last, words, &stop)
        if kept == 0 and dropped == 0:
            for i in range(place, stop):
                factor = slope if words[i - first] >= threshold else 0
                factors[i] = factor
                out[i] = factor * x[i]
        else:
            for i in range(place, stop):
                factor = slope if words[i - first] >= threshold else 0
                factors[i] = factor
                out[i] = factor * x[i] + (kept if words[i - first] >= threshold else dropped)
        place = stop


cdef void dropout_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef const floating *factors = <const floating *>op.saved[0]
    cdef int64_t i
    for i in range(begin * op.units, end * op.units):
        delta[i] *= factors[i]


# Directional derivatives. The noise is constant: with dropout the derivative is its factor, with Gaussian noise 1.

cdef void dropout_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef const floating *factors = <const floating *>op.saved[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef int64_t i
    for i in range(begin * op.units, end * op.units):
        out[i] = factors[i] * dx[i]


cdef void dropout_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef const floating *factors = <const floating *>op.saved[0]
    cdef floating *ddx = <floating *>tangents.dx[0]
    cdef int64_t i
    if ddx == NULL:
        return
    for i in range(begin * op.units, end * op.units):
        ddx[i] = factors[i] * ddelta[i]


cdef inline void normals(const uint32_t *words, floating *out) noexcept nogil:
    """Standard normal numbers from a group of random words, by the Box-Muller transform."""
    cdef int64_t i, part
    cdef int term
    cdef uint32_t quarter
    cdef floating radius, theta, square, sine, cosine, first, second
    for part in range(2):
        for i in range(2 * LANES * part, 2 * LANES * part + LANES):
            radius = vector_math.sqrt(-2 * vector_math.log(
                (<floating>words[i] + <floating>0.5) * <floating>(1.0 / 4294967296.0)
            ))
            # the angle is a multiple of a quarter turn plus theta, |theta| <= an eighth turn, where the series converge
            quarter = (words[i + LANES] + <uint32_t>0x20000000) >> 30
            theta = <floating><int32_t>(words[i + LANES] - (quarter << 30)) * <floating>1.4629180792671596e-09
            square = theta * theta
            sine, cosine = <floating>SINE[0], <floating>COSINE[0]
            for term in range(1, TERMS):
                sine = sine * square + <floating>SINE[term]
                cosine = cosine * square + <floating>COSINE[term]
            sine *= theta
            first = sine if quarter & 1 else cosine
            second = cosine if quarter & 1 else sine
            out[i] = radius * (-first if (quarter + 1) & 2 else first)
            out[i + LANES] = radius * (-second if quarter & 2 else second)


cdef inline int64_t draw_normals_from(
    const cynn_operands *op, const cynn_pass *pass_, int64_t place, int64_t end, floating *z, int64_t *stop
) noexcept nogil:
    """Draw normal numbers for the places from `place` to `stop`, at most to `end`. Returns the place of z[0]."""
    cdef uint32_t[CHUNK] words
    cdef int64_t i, first = draw_from(op, pass_, place, end, words, stop)
    for i in range((stop[0] - first + GROUP - 1) // GROUP):
        normals(words + i * GROUP, z + i * GROUP)
    return first


# h: standard deviation
cdef void gaussian_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef floating[CHUNK] z
    cdef int64_t place = begin * op.units, last = end * op.units
    cdef int64_t first, i, stop = 0
    cdef floating deviation = <floating>op.h[0]
    cdef const floating *x = <const floating *>op.x[0]
    if not pass_.training:
        pass_on(op, begin, end, out)
        return
    while place < last:
        first = draw_normals_from(op, pass_, place, last, z, &stop)
        for i in range(place, stop):
            out[i] = x[i] + deviation * z[i - first]
        place = stop


cdef void gaussian_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    pass


cdef void gaussian_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    memcpy(
        out + begin * op.units, <const floating *>tangents.x[0] + begin * op.units,
        (end - begin) * op.units * sizeof(floating)
    )


cdef void gaussian_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx != NULL:
        memcpy(ddx + begin * op.units, ddelta + begin * op.units, (end - begin) * op.units * sizeof(floating))


cdef cynn_operation dropout
dropout.forward_f32 = dropout_forward[float]
dropout.forward_f64 = dropout_forward[double]
dropout.backward_f32 = dropout_backward[float]
dropout.backward_f64 = dropout_backward[double]
dropout.jvp_f32 = dropout_jvp[float]
dropout.jvp_f64 = dropout_jvp[double]
dropout.backward_jvp_f32 = dropout_backward_jvp[float]
dropout.backward_jvp_f64 = dropout_backward_jvp[double]

cdef cynn_operation gaussian
gaussian.forward_f32 = gaussian_forward[float]
gaussian.forward_f64 = gaussian_forward[double]
gaussian.backward_f32 = gaussian_backward[float]
gaussian.backward_f64 = gaussian_backward[double]
gaussian.jvp_f32 = gaussian_jvp[float]
gaussian.jvp_f64 = gaussian_jvp[double]
gaussian.backward_jvp_f32 = gaussian_backward_jvp[float]
gaussian.backward_jvp_f64 = gaussian_backward_jvp[double]

cdef uint64_t FLAGS = CYNN_IN_PLACE | CYNN_GRADIENT_IN_PLACE | CYNN_ONLY_TRAINING | CYNN_AFFINE_IN_X

KERNELS = {"dropout": operation_capsule(&dropout, FLAGS), "gaussian": operation_capsule(&gaussian, FLAGS)}


# The functions for plugins: numbers of places first, first + 1, ...

cdef void random_words(
    const cynn_operands *op, const cynn_pass *pass_, int64_t first, int64_t count, uint32_t *out
) noexcept nogil:
    cdef uint32_t[CHUNK] words
    cdef int64_t place = first, begin, stop = 0
    while place < first + count:
        begin = draw_from(op, pass_, place, first + count, words, &stop)
        memcpy(out + place - first, words + place - begin, (stop - place) * sizeof(uint32_t))
        place = stop


cdef void random_uniform(
    const cynn_operands *op, const cynn_pass *pass_, int64_t first, int64_t count, floating *out
) noexcept nogil:
    cdef uint32_t[CHUNK] words
    cdef int64_t place = first, begin, i, stop = 0
    # as many bits as the type holds: no rounding up to 1
    cdef uint32_t lost_bits = 8 if sizeof(floating) == sizeof(float) else 0
    cdef floating unit = <floating>(1.0 / 16777216.0 if sizeof(floating) == sizeof(float) else 1.0 / 4294967296.0)
    while place < first + count:
        begin = draw_from(op, pass_, place, first + count, words, &stop)
        for i in range(place, stop):
            out[i - first] = unit * <floating>(words[i - begin] >> lost_bits)
        place = stop


cdef void random_normal(
    const cynn_operands *op, const cynn_pass *pass_, int64_t first, int64_t count, floating *out
) noexcept nogil:
    cdef floating[CHUNK] z
    cdef int64_t place = first, begin, stop = 0
    while place < first + count:
        begin = draw_normals_from(op, pass_, place, first + count, z, &stop)
        memcpy(out + place - first, z + place - begin, (stop - place) * sizeof(floating))
        place = stop


def add_random_numbers(blas):
    """Add the functions for random numbers to those for plugins, in this capsule."""
    cdef cynn_blas *functions = <cynn_blas *>PyCapsule_GetPointer(blas, CYNN_BLAS_CAPSULE)
    functions.random_words = random_words
    functions.random_uniform_f32 = random_uniform[float]
    functions.random_uniform_f64 = random_uniform[double]
    functions.random_normal_f32 = random_normal[float]
    functions.random_normal_f64 = random_normal[double]
