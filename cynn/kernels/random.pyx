"""Random numbers without state: each is a function of (seed, purpose, epoch, step, position).

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3", 2011). The seed is its key; purpose, epoch, step and position are its counter.
"""

from array import array

from libc.math cimport cos, log, pi, sin, sqrt
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "philox.h" nogil:
    void philox "cynn_philox"(const uint32_t *counter, uint64_t key, uint32_t *words) noexcept

cdef extern from *:
    """
    /* the upper half of the product: a number in [0, bound) from 64 random bits, biased by less than
       bound / 2^64 */
    #define cynn_multiply_high(a, b) ((uint64_t)(((unsigned __int128)(a) * (b)) >> 64))
    """
    uint64_t cynn_multiply_high(uint64_t a, uint64_t b) nogil


cdef inline double uniform_double(const uint32_t *words) noexcept nogil:
    # 53 random bits over 2^53: in [0, 1)
    return ((words[0] >> 5) * 67108864.0 + (words[1] >> 6)) / 9007199254740992.0


def random_words(uint32_t[::1] out, uint64_t seed, uint32_t purpose, uint32_t epoch=0, uint32_t step=0):
    """Fill `out`, whose size is a multiple of 4, with random 32-bit words.

    Parameters
    ----------
    out : uint32 array
        Where to write.
    seed : int
        64 bits.
    purpose, epoch, step : int
        32 bits each. Different values give different numbers.
    """
    cdef uint32_t[4] counter = [0, step, epoch, purpose]
    cdef int64_t block
    if out.shape[0] % 4:
        raise ValueError(f"the size of out must be a multiple of 4, got {out.shape[0]}")
    with nogil:
        for block in range(out.shape[0] // 4):
            counter[0] = <uint32_t>block
            philox(counter, seed, &out[4 * block])


def uniform(double[::1] out, uint64_t seed, uint32_t purpose, uint32_t epoch=0, uint32_t step=0):
    """Fill `out` with numbers uniform in [0, 1).

    Parameters
    ----------
    out : float64 array
        Where to write.
    seed : int
        64 bits.
    purpose, epoch, step : int
        32 bits each. Different values give different numbers.
    """
    cdef uint32_t[4] counter = [0, step, epoch, purpose]
    cdef uint32_t[4] words
    cdef int64_t i
    with nogil:
        for i in range(out.shape[0]):
            if i % 2 == 0:
                counter[0] = <uint32_t>(i // 2)
                philox(counter, seed, words)
            out[i] = uniform_double(words + 2 * (i % 2))


def normal(double[::1] out, uint64_t seed, uint32_t purpose, uint32_t epoch=0, uint32_t step=0):
    """Fill `out` with standard normal numbers, two at a time by Box and Muller's transform.

    Parameters
    ----------
    out : float64 array
        Where to write.
    seed : int
        64 bits.
    purpose, epoch, step : int
        32 bits each. Different values give different numbers.
    """
    cdef uint32_t[4] counter = [0, step, epoch, purpose]
    cdef uint32_t[4] words
    cdef int64_t i
    cdef double radius, angle
    with nogil:
        for i in range(0, out.shape[0], 2):
            counter[0] = <uint32_t>(i // 2)
            philox(counter, seed, words)
            radius = sqrt(-2 * log(1 - uniform_double(words)))
            angle = 2 * pi * uniform_double(words + 2)
            out[i] = radius * cos(angle)
            if i + 1 < out.shape[0]:
                out[i + 1] = radius * sin(angle)


cdef void permute(int64_t *out, int64_t n, int64_t first, uint64_t seed, uint32_t *counter) noexcept nogil:
    """first .. first + n - 1 in random order (Fisher and Yates)."""
    cdef uint32_t[4] words
    cdef uint64_t bits
    cdef int64_t i, j
    for i in range(n):
        if i % 2 == 0:
            counter[0] = <uint32_t>(i // 2)
            philox(counter, seed, words)
        bits = (<uint64_t>words[2 * (i % 2)] << 32) | words[2 * (i % 2) + 1]
        j = <int64_t>cynn_multiply_high(bits, <uint64_t>(i + 1))
        out[i] = out[j]  # the inside-out form: no separate pass to fill 0 .. n-1
        out[j] = first + i


def permutation(int64_t[::1] out, uint64_t seed, uint32_t purpose, uint32_t epoch=0, uint32_t step=0):
    """Fill `out` with a random permutation of 0 .. n-1.

    Parameters
    ----------
    out : int64 array
        Where to write.
    seed : int
        64 bits.
    purpose, epoch, step : int
        32 bits each. Different values give different numbers.

    Examples
    --------
    >>> from cynn.kernels.random import permutation
    >>> order = np.empty(10, np.int64)
    >>> permutation(order, seed=0, purpose=2)
    >>> sorted(order.tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    cdef uint32_t[4] counter = [0, step, epoch, purpose]
    if out.shape[0]:
        with nogil:
            permute(&out[0], out.shape[0], 0, seed, counter)


def block_permutation(int64_t[::1] out, int64_t block, uint64_t seed, uint32_t purpose, uint32_t epoch=0):
    """Fill `out` with 0 .. n-1: blocks of consecutive numbers in random order, shuffled within each block.

    A file that is read in this order is read one block at a time.

    Parameters
    ----------
    out : int64 array
        Where to write.
    block : int
        The size of a block.
    seed : int
        64 bits.
    purpose, epoch : int
        32 bits each. Different values give different numbers.
    """
    cdef int64_t n = out.shape[0], n_blocks
    cdef int64_t i, first, size, begin = 0
    cdef uint32_t[4] counter = [0, 0, epoch, purpose]
    cdef int64_t[::1] order
    if block < 1:
        raise ValueError(f"block must be at least 1. Got {block} instead.")
    n_blocks = (n + block - 1) // block
    order = array("q", [0]) * n_blocks
    if n:
        with nogil:
            permute(&order[0], n_blocks, 0, seed, counter)
            for i in range(n_blocks):
                first = order[i] * block
                size = min(block, n - first)
                counter[1] = <uint32_t>(order[i] + 1)  # step 0 is used for the order of the blocks
                permute(&out[begin], size, first, seed, counter)
                begin += size
