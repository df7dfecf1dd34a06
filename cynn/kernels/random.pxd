# Philox4x32-10: four random words for a key and a counter, with no state between calls.
from libc.stdint cimport uint32_t, uint64_t


cdef inline void philox(const uint32_t *counter, uint64_t key, uint32_t *words) noexcept nogil:
    cdef uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3]
    cdef uint32_t k0 = <uint32_t>key, k1 = <uint32_t>(key >> 32)
    cdef uint64_t product_0, product_1
    cdef int _
    for _ in range(10):
        product_0 = <uint64_t>0xD2511F53 * c0
        product_1 = <uint64_t>0xCD9E8D57 * c2
        c0 = <uint32_t>(product_1 >> 32) ^ c1 ^ k0
        c1 = <uint32_t>product_1
        c2 = <uint32_t>(product_0 >> 32) ^ c3 ^ k1
        c3 = <uint32_t>product_0
        k0 = k0 + <uint32_t>0x9E3779B9
        k1 = k1 + <uint32_t>0xBB67AE85
    words[0] = c0
    words[1] = c1
    words[2] = c2
    words[3] = c3
