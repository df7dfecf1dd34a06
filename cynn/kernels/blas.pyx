"""Row-major matrix products over CBLAS, for the other kernels and, as `matmul`, for tests.

Sizes must fit in the 32-bit integers of CBLAS. Networks and batches are checked against `MAX_DIMENSION` when they are
made.

With invalid arguments, a BLAS prints a line, computes nothing and returns. So the arguments are checked before every
call: a product with invalid arguments is not computed, and is counted as a fault. After running kernels, the caller
compares the number of faults with the number before, and raises. Faults that OpenBLAS itself reports are counted, too.
"""

from cynn.errors import KernelError

from libc.stdint cimport int64_t

from cynn.abi cimport floating

cdef extern from *:
    """
    #include <cblas.h>
    #include "fork_gate.h"
    #ifdef CYNN_VENDORED_OPENBLAS
    #define cblas_sgemm scipy_cblas_sgemm
    #define cblas_dgemm scipy_cblas_dgemm
    #define cblas_sgemv scipy_cblas_sgemv
    #define cblas_dgemv scipy_cblas_dgemv
    static void use_one_thread(void) { scipy_openblas_set_num_threads(1); }
    static const char *library_name(void) { return scipy_openblas_get_config(); }
    static const char *library_core(void) { return scipy_openblas_get_corename(); }
    static void set_fault_handler(void (*handler)(const char *, const int *, size_t)) {
        scipy_openblas_set_xerbla(handler);
    }
    /* LAPACK's matrices are column-major: its lower triangle is the upper one of a row-major matrix */
    int scipy_LAPACKE_dpotrf_work(int layout, char triangle, int n, double *a, int lda);
    static int has_potrf(void) { return 1; }
    static int potrf(int n, double *a) { return scipy_LAPACKE_dpotrf_work(102, 'L', n, a, n); }
    #else
    static int has_potrf(void) { return 0; }
    static int potrf(int n, double *a) { (void)n; (void)a; return -1; }
    static void use_one_thread(void) {}
    static void set_fault_handler(void (*handler)(const char *, const int *, size_t)) { (void)handler; }
    static const char *library_name(void) { return "another CBLAS, chosen by CYNN_BLAS"; }
    static const char *library_core(void) { return "unknown"; }
    #endif

    /* of the dtype of the matrix that is written */
    #define cynn_cblas_gemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) \\
        _Generic((c), float *: cblas_sgemm, double *: cblas_dgemm)( \\
            order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
    #define cynn_cblas_gemv(order, ta, m, n, alpha, a, lda, x, dx, beta, y, dy) \\
        _Generic((y), float *: cblas_sgemv, double *: cblas_dgemv)(order, ta, m, n, alpha, a, lda, x, dx, beta, y, dy)

    #include <stdarg.h>
    #include <stdio.h>
    static pthread_mutex_t fault_mutex = PTHREAD_MUTEX_INITIALIZER;
    static char last_fault[256];
    static int64_t n_faults;
    static void add_fault(const char *format, ...)
    {
        va_list arguments;
        va_start(arguments, format);
        cynn_delay_forks();
        pthread_mutex_lock(&fault_mutex);
        vsnprintf(last_fault, sizeof last_fault, format, arguments);
        __atomic_add_fetch(&n_faults, 1, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&fault_mutex);
        cynn_allow_forks();
        va_end(arguments);
    }
    static int64_t count_faults(void) { return __atomic_load_n(&n_faults, __ATOMIC_ACQUIRE); }
    static void copy_last_fault(char *text)
    {
        pthread_mutex_lock(&fault_mutex);
        memcpy(text, last_fault, sizeof last_fault);
        pthread_mutex_unlock(&fault_mutex);
    }
    """
    ctypedef enum CBLAS_ORDER:
        CblasRowMajor
    ctypedef enum CBLAS_TRANSPOSE:
        CblasNoTrans
        CblasTrans
    void use_one_thread()
    void set_fault_handler(void (*)(const char *, const int *, size_t) noexcept nogil)
    void add_fault(const char *format, ...) nogil
    int64_t count_faults() nogil
    void copy_last_fault(char *text)
    const char *library_name()
    const char *library_core()
    bint has_potrf() nogil
    int potrf(int n, double *a) nogil
    void cynn_guard_forks()
    void cynn_delay_forks() nogil
    void cynn_allow_forks() nogil
    void cblas_gemm "cynn_cblas_gemm"(
        CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, double, const void *, int, const void *, int,
        double, void *, int
    ) noexcept nogil
    void cblas_gemv "cynn_cblas_gemv"(
        CBLAS_ORDER, CBLAS_TRANSPOSE, int, int, double, const void *, int, const void *, int, double, void *, int
    ) noexcept nogil

cdef enum:
    LARGEST = 0x7FFFFFFF

MAX_DIMENSION = LARGEST

cdef void on_xerbla(const char *name, const int *parameter, size_t length) noexcept nogil:
    add_fault("%.*s whose parameter %d is not allowed", <int>length, name, parameter[0])


cdef int64_t faults() noexcept nogil:
    """The number of products with invalid arguments so far, on all threads."""
    return count_faults()


cdef int raise_faults_since(int64_t before) except -1:
    """Raise a KernelError if the number of faults has grown."""
    cdef char[256] text
    if count_faults() != before:
        copy_last_fault(text)
        raise KernelError(
            "The arguments of a matrix product must have valid sizes and addresses. Got "
            f"{(<const char *>text).decode('ascii', 'replace')} instead: it has not been computed, so all results "
            "that depend on it are wrong."
        )
    return 0


cdef inline bint is_matrix(const void *address, int64_t rows, int64_t columns, int64_t row_length) noexcept nogil:
    """Whether BLAS accepts a matrix at this address whose rows begin row_length apart."""
    return (
        0 <= rows <= LARGEST and 0 <= columns <= row_length and 1 <= row_length <= LARGEST
        and (address != NULL or rows * columns == 0)
    )


cdef bint can_multiply(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
    int64_t ldb, const void *c, int64_t ldc
) noexcept nogil:
    """Whether the sizes and addresses of op(A) m x k, op(B) k x n and C m x n are valid. If not, that is a fault."""
    if (
        is_matrix(a, k if transpose_a else m, m if transpose_a else k, lda)
        and is_matrix(b, n if transpose_b else k, k if transpose_b else n, ldb)
        and is_matrix(c, m, n, ldc)
    ):
        return True
    add_fault(
        "gemm of m %lld, n %lld, k %lld, A at %p%s with rows %lld apart, B at %p%s with rows %lld apart, "
        "C at %p with rows %lld apart",
        <long long>m, <long long>n, <long long>k, a, b", transposed," if transpose_a else b"", <long long>lda,
        b, b", transposed," if transpose_b else b"", <long long>ldb, c, <long long>ldc
    )
    return False


cdef void gemm(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, floating alpha,
    const floating *a, int64_t lda, const floating *b, int64_t ldb, floating beta, floating *c, int64_t ldc
) noexcept nogil:
    """C := alpha * op(A).op(B) + beta * C, with op(A) m x k, op(B) k x n, C m x n."""
    if can_multiply(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc):
        cynn_delay_forks()
        cblas_gemm(
            CblasRowMajor, CblasTrans if transpose_a else CblasNoTrans, CblasTrans if transpose_b else CblasNoTrans,
            <int>m, <int>n, <int>k, alpha, a, <int>lda, b, <int>ldb, beta, c, <int>ldc
        )
        cynn_allow_forks()


cdef void gemv(
    bint transpose_a, int64_t m, int64_t n, floating alpha, const floating *a, int64_t lda,
    const floating *x, floating beta, floating *y
) noexcept nogil:
    """y := alpha * op(A).x + beta * y, with A m x n before op."""
    if not (is_matrix(a, m, n, lda) and x != NULL and y != NULL):
        add_fault(
            "gemv of m %lld, n %lld, A at %p with rows %lld apart, x at %p, y at %p",
            <long long>m, <long long>n, a, <long long>lda, x, y
        )
        return
    cynn_delay_forks()
    cblas_gemv(
        CblasRowMajor, CblasTrans if transpose_a else CblasNoTrans, <int>m, <int>n, alpha, a, <int>lda, x, 1, beta, y, 1
    )
    cynn_allow_forks()


cdef bint has_cholesky() noexcept nogil:
    """Whether the linked library has LAPACK's potrf. The vendored one has it; another is assumed to lack it."""
    return has_potrf()


cdef bint lapack_cholesky(int64_t n, double *a) noexcept nogil:
    """LAPACK's potrf on the upper triangle of rows, A = Uᵀ U. Returns whether A is positive definite."""
    cynn_delay_forks()
    cdef int failed = potrf(<int>n, a)
    cynn_allow_forks()
    return failed == 0


cynn_guard_forks()
use_one_thread()
set_fault_handler(on_xerbla)


def matmul(const floating[:, ::1] a, const floating[:, ::1] b, floating[:, ::1] c, *,
           bint transpose_a=False, bint transpose_b=False, floating alpha=1, floating beta=0):
    """C := alpha * op(A).op(B) + beta * C on C-contiguous arrays of one dtype, in place on C.

    Parameters
    ----------
    a, b : array of two dimensions
        The factors.
    c : array of two dimensions
        Receives the result, in place.
    transpose_a, transpose_b : bool
        Whether op transposes A, or B.
    alpha, beta : float
        The scalars. With beta = 0, c is not read.

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
    cdef int64_t faults_before = faults()
    if k != k_of_b or c.shape[0] != m or c.shape[1] != n:
        raise ValueError(f"shapes do not fit: op(A) {m}x{k}, op(B) {k_of_b}x{n}, C {c.shape[0]}x{c.shape[1]}")
    if m == 0 or n == 0:
        return
    if k == 0:
        raise ValueError("the inner dimension must be at least 1")
    if n == 1:  # b is one vector, contiguous or not
        with nogil:
            gemv(transpose_a, a.shape[0], a.shape[1], alpha, &a[0, 0], a.shape[1], &b[0, 0], beta, &c[0, 0])
    else:
        with nogil:
            gemm(transpose_a, transpose_b, m, n, k, alpha, &a[0, 0], a.shape[1], &b[0, 0], b.shape[1],
                 beta, &c[0, 0], n)
    raise_faults_since(faults_before)


def description():
    """The name of the BLAS library, and the CPU core that it was tuned for."""
    return library_name().decode(), library_core().decode()
