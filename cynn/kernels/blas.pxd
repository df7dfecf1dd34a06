# Row-major matrix products over CBLAS. The library is single-threaded: CyNN does the threading.
from libc.stdint cimport int64_t

from cynn.abi cimport floating

cdef void gemm(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, floating alpha,
    const floating *a, int64_t lda, const floating *b, int64_t ldb, floating beta, floating *c, int64_t ldc
) noexcept nogil

cdef void gemv(
    bint transpose_a, int64_t m, int64_t n, floating alpha, const floating *a, int64_t lda,
    const floating *x, floating beta, floating *y
) noexcept nogil

cdef bint can_multiply(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
    int64_t ldb, const void *c, int64_t ldc
) noexcept nogil

cdef int64_t faults() noexcept nogil
cdef int raise_faults_since(int64_t before) except -1

cdef bint has_cholesky() noexcept nogil
cdef bint lapack_cholesky(int64_t n, double *a) noexcept nogil
