"""The Cholesky factor U of a symmetric positive definite matrix A = Uᵀ U, the solution of A x = b, and U⁻¹; in double.

Only the upper triangle of A is read, and U overwrites it. The lower one does not change. The vendored BLAS has LAPACK's
potrf. Another BLAS may lack it: then `own_cholesky` factors A in blocks of rows.
"""

from libc.math cimport isfinite, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.kernels.blas cimport faults, gemm, has_cholesky, lapack_cholesky, raise_faults_since

cdef int64_t BLOCK = 64  # rows that are factored at a time


cdef inline void subtract_row(int64_t n, double factor, const double *x, double *y) noexcept nogil:
    """y := y - factor * x"""
    cdef int64_t j
    for j in range(n):
        y[j] -= factor * x[j]


cdef bint factor_rows(int64_t n, int64_t begin, int64_t end, double *a) noexcept nogil:
    """Compute rows begin..end of U. The products of all earlier rows have been subtracted from them."""
    cdef int64_t i, j, k
    cdef double pivot
    for i in range(begin, end):
        for k in range(begin, i):
            subtract_row(n - i, a[k * n + i], a + k * n + i, a + i * n + i)
        pivot = a[i * n + i]
        if not (pivot > 0 and isfinite(pivot)):
            return False
        pivot = sqrt(pivot)
        for j in range(i, n):
            a[i * n + j] /= pivot
    return True


cdef bint own_cholesky(int64_t n, double *a) noexcept nogil:
    cdef int64_t begin = 0, end, i, rows
    while begin < n:
        end = min(begin + BLOCK, n)
        if not factor_rows(n, begin, end, a):
            return False
        i = end
        while i < n:  # update the remaining rows, on and above the diagonal
            rows = min(BLOCK, n - i)
            gemm[double](
                True, False, rows, n - i, end - begin, -1, a + begin * n + i, n, a + begin * n + i, n, 1,
                a + i * n + i, n
            )
            i += rows
        begin = end
    return True


def factor(double[:, ::1] a, *, bint own=False):
    """A := U in its upper triangle, with A = Uᵀ U.

    Parameters
    ----------
    a : float64 array of shape (n, n)
        The upper triangle of a symmetric matrix.
    own : bool
        Whether to use the code in this file even if there is LAPACK.

    Returns
    -------
    bool
        False if A is not positive definite. Its upper triangle is then undefined.

    Examples
    --------
    >>> from cynn.kernels import cholesky
    >>> a = np.array([[4.0, 2.0], [2.0, 10.0]])
    >>> cholesky.factor(a), a
    (True, array([[2., 1.],
           [2., 3.]]))
    """
    cdef int64_t n = a.shape[0], faults_before = faults()
    cdef bint is_positive
    if a.shape[1] != n:
        raise ValueError(f"a must be square. Got {n} x {a.shape[1]} instead.")
    if n == 0:
        return True
    with nogil:
        if own or not has_cholesky():
            is_positive = own_cholesky(n, &a[0, 0])
        else:
            is_positive = lapack_cholesky(n, &a[0, 0])
    raise_faults_since(faults_before)
    return is_positive


def solve(const double[:, ::1] u, double[::1] b):
    """b := (Uᵀ U)⁻¹ b.

    Parameters
    ----------
    u : float64 array of shape (n, n)
        The factor U, which `factor` has written.
    b : float64 array of shape (n,)
        The right side, which becomes the solution.

    Examples
    --------
    >>> from cynn.kernels import cholesky
    >>> a, b = np.array([[4.0, 2.0], [2.0, 10.0]]), np.array([8.0, 22.0])
    >>> cholesky.factor(a)
    True
    >>> cholesky.solve(a, b)
    >>> b
    array([1., 2.])
    """
    cdef int64_t n = u.shape[0], i, j
    cdef const double *row
    cdef double *x
    cdef double total
    if u.shape[1] != n or b.shape[0] != n:
        raise ValueError(f"shapes must fit. Got {n} x {u.shape[1]} and {b.shape[0]} instead.")
    if n == 0:
        return
    row, x = &u[0, 0], &b[0]
    with nogil:
        for i in range(n):  # Uᵀ y = b
            x[i] /= row[i * n + i]
            subtract_row(n - i - 1, x[i], row + i * n + i + 1, x + i + 1)
        for i in range(n - 1, -1, -1):  # U x = y
            total = x[i]
            for j in range(i + 1, n):
                total -= row[i * n + j] * x[j]
            x[i] = total / row[i * n + i]


def inverse(double[:, ::1] u):
    """U := U⁻¹ in its upper triangle, so that A⁻¹ = U⁻¹ U⁻ᵀ; the lower triangle becomes 0.

    Parameters
    ----------
    u : float64 array of shape (n, n)
        The factor U, which `factor` has written.

    Examples
    --------
    >>> from cynn.kernels import cholesky
    >>> u = np.array([[2.0, 1.0], [0.0, 4.0]])
    >>> cholesky.inverse(u)
    >>> u
    array([[ 0.5  , -0.125],
           [ 0.   ,  0.25 ]])
    """
    cdef int64_t n = u.shape[0], i, k
    cdef double *row
    cdef double of_i, of_k
    if u.shape[1] != n:
        raise ValueError(f"u must be square. Got {n} x {u.shape[1]} instead.")
    with nogil:
        # U V = 1, from the last row up: V[i] = (e_i - sum over k > i of U[i, k] V[k]) / U[i, i]
        for i in range(n - 1, -1, -1):
            row = &u[i, 0]
            memset(row, 0, i * sizeof(double))
            of_i = 1 / row[i]
            row[i] = of_i
            for k in range(n - 1, i, -1):  # row[k] is still U[i, k]: the rows of V after row k are 0 there
                of_k = row[k] * of_i
                row[k] = 0
                subtract_row(n - k, of_k, &u[k, k], row + k)
