"""Row-major matrix products over CBLAS, for the other kernels and, as `matmul`, for tests.

Sizes must fit in the 32-bit integers of CBLAS; networks and batches are checked against
`LARGEST_DIMENSION` where they are made.
"""

from libc.stdint cimport int64_t

from cynn.abi cimport floating

cdef extern from *:
    """
    #include <cblas.h>
    #ifdef CYNN_VENDORED_OPENBLAS
    #define cblas_sgemm scipy_cblas_sgemm
    #define cblas_dgemm scipy_cblas_dgemm
    #define cblas_sgemv scipy_cblas_sgemv
    #define cblas_dgemv scipy_cblas_dgemv
    static void use_one_thread(void) { scipy_openblas_set_num_threads(1); }
    static const char *library_name(void) { return scipy_openblas_get_config(); }
    static const char *library_core(void) { return scipy_openblas_get_corename(); }
    #else
    static void use_one_thread(void) {}
    static const char *library_name(void) { return "another CBLAS, chosen by CYNN_BLAS"; }
    static const char *library_core(void) { return "unknown"; }
    #endif
    """
    ctypedef enum CBLAS_ORDER:
        CblasRowMajor
    ctypedef enum CBLAS_TRANSPOSE:
        CblasNoTrans
        CblasTrans
    void use_one_thread()
    const char *library_name()
    const char *library_core()
    void cblas_sgemm(
        CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, float, const float *, int,
        const float *, int, float, float *, int
    ) noexcept nogil
    void cblas_dgemm(
        CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, double, const double *, int,
        const double *, int, double, double *, int
    ) noexcept nogil
    void cblas_sgemv(
        CBLAS_ORDER, CBLAS_TRANSPOSE, int, int, float, const float *, int, const float *, int, float,
        float *, int
    ) noexcept nogil
    void cblas_dgemv(
        CBLAS_ORDER, CBLAS_TRANSPOSE, int, int, double, const double *, int, const double *, int, double,
        double *, int
    ) noexcept nogil

LARGEST_DIMENSION = 2**31 - 1

use_one_thread()


cdef void gemm(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, floating alpha,
    const floating *a, int64_t lda, const floating *b, int64_t ldb, floating beta, floating *c, int64_t ldc
) noexcept nogil:
    """C := alpha * op(A).op(B) + beta * C, with op(A) m x k, op(B) k x n, C m x n."""
    cdef CBLAS_TRANSPOSE op_a = CblasTrans if transpose_a else CblasNoTrans
    cdef CBLAS_TRANSPOSE op_b = CblasTrans if transpose_b else CblasNoTrans
    if floating is float:
        cblas_sgemm(
            CblasRowMajor, op_a, op_b, <int>m, <int>n, <int>k, alpha, a, <int>lda, b, <int>ldb, beta, c,
            <int>ldc
        )
    else:
        cblas_dgemm(
            CblasRowMajor, op_a, op_b, <int>m, <int>n, <int>k, alpha, a, <int>lda, b, <int>ldb, beta, c,
            <int>ldc
        )


cdef void gemv(
    bint transpose_a, int64_t m, int64_t n, floating alpha, const floating *a, int64_t lda,
    const floating *x, floating beta, floating *y
) noexcept nogil:
    """y := alpha * op(A).x + beta * y, with A m x n before op."""
    cdef CBLAS_TRANSPOSE op_a = CblasTrans if transpose_a else CblasNoTrans
    if floating is float:
        cblas_sgemv(CblasRowMajor, op_a, <int>m, <int>n, alpha, a, <int>lda, x, 1, beta, y, 1)
    else:
        cblas_dgemv(CblasRowMajor, op_a, <int>m, <int>n, alpha, a, <int>lda, x, 1, beta, y, 1)


def matmul(const floating[:, ::1] a, const floating[:, ::1] b, floating[:, ::1] c, *,
           bint transpose_a=False, bint transpose_b=False, floating alpha=1, floating beta=0):
    """C := alpha * op(A).op(B) + beta * C on C-contiguous arrays of one dtype, in place on C.

    Parameters
    ----------
    a, b : array of two dimensions
        The factors.
    c : array of two dimensions
        What is added to, and written.
    transpose_a, transpose_b : bool
        Whether op transposes A, and B.
    alpha, beta : float
        With beta 0, what was in c does not matter.

    Examples
    --------
    >>> from cynn.kernels.blas import matmul
    >>> c = np.empty((1, 1))
    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), c)
    >>> c
    array([[11.]])
    """
    cdef int64_t m = a.shape[1] if transpose_a else a.shape[0]
    cdef int64_t k = a.shape[0] if transpose_a else a.shape[1]
    cdef int64_t n = b.shape[0] if transpose_b else b.shape[1]
    cdef int64_t k_of_b = b.shape[1] if transpose_b else b.shape[0]
    if k != k_of_b or c.shape[0] != m or c.shape[1] != n:
        raise ValueError(f"shapes do not fit: op(A) {m}x{k}, op(B) {k_of_b}x{n}, C {c.shape[0]}x{c.shape[1]}")
    if m == 0 or n == 0:
        return
    if k == 0:
        raise ValueError("the inner dimension must be at least 1")
    if n == 1:  # b is one vector, whichever way it lies
        with nogil:
            gemv(transpose_a, a.shape[0], a.shape[1], alpha, &a[0, 0], a.shape[1], &b[0, 0], beta, &c[0, 0])
    else:
        with nogil:
            gemm(transpose_a, transpose_b, m, n, k, alpha, &a[0, 0], a.shape[1], &b[0, 0], b.shape[1],
                 beta, &c[0, 0], n)


def description():
    """The BLAS in use and the CPU core that it was tuned for, as two strings."""
    return library_name().decode(), library_core().decode()
