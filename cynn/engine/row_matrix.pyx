"""The rows of a caller's array, for prediction and training: in place, or gathered, converted and scaled."""

import numpy as np

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cynn.engine.dtypes cimport Dtype, dtype_named
from cynn.engine.workspace cimport address_of
from cynn.kernels.tables cimport FLOAT32, FLOAT64, UINT8, Rows

from cynn.engine.sparse_rows import SparseRows

cdef int64_t CONVERTED_AT_ONCE = 128  # rows that are converted at a time, so that they stay in the cache


cdef class InputScaling:
    """The scale and the offset of an input, for the kernels.

    Parameters
    ----------
    scale, offset : float, or array of float64 of shape (inputs,)
        Both are numbers, or both are arrays.
    """

    def __cinit__(self, scale, offset):
        cdef const double[::1] scales, offsets
        self.kept = (scale, offset)
        if not isinstance(scale, np.ndarray):
            self.scaling.scale, self.scaling.offset = scale, offset
            return
        scales, offsets = scale, offset
        if scales.shape[0] == 0 or scales.shape[0] != offsets.shape[0]:
            raise ValueError("scale and offset must have as many numbers.")
        self.scaling.scale, self.scaling.offset = np.abs(scale).max(), np.abs(offset).max()
        self.scaling.scales, self.scaling.offsets = &scales[0], &offsets[0]

    cdef InputScaling slope(self, int64_t copies):
        """The scale without the offset, for rows of `copies` directions in the space of x."""
        scale = self.kept[0]
        if not isinstance(scale, np.ndarray):
            return InputScaling(scale, 0.0)
        return InputScaling(np.tile(scale, copies), np.zeros(copies * len(scale)))


cdef class RowMatrix:
    """A caller's matrix of uint8, float32 or float64 with any strides, or sparse; kept alive while it is read."""

    def __cinit__(self, object array):
        cdef char kind
        cdef bint is_sparse = isinstance(array, SparseRows)
        PyObject_GetBuffer(array.values if is_sparse else array, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        if self.buffer.ndim != 2 - is_sparse:
            raise ValueError(f"array must have 2 dimensions. Got {self.buffer.ndim} instead.")
        kind = self.buffer.format[0]
        if kind not in (c"B", c"f", c"d") or self.buffer.format[1] != 0:
            raise ValueError(f"array must be uint8, float32 or float64. Got {self.buffer.format} instead.")
        self.rows.kind = UINT8 if kind == c"B" else (FLOAT32 if kind == c"f" else FLOAT64)
        self.rows.data = <const char *>self.buffer.buf
        if is_sparse:
            self.set_sparse(array)
            return
        self.rows.rows = self.buffer.shape[0]
        self.rows.columns = self.buffer.shape[1]
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]

    cdef set_sparse(self, array):
        """Point `rows` at the elements of sparse rows, at their columns, and at where each row starts."""
        cdef const int64_t[::1] starts = array.starts
        cdef const int32_t[::1] column_of = array.column_of
        self.kept = array
        self.rows.rows, self.rows.columns = array.shape
        self.rows.starts = &starts[0]
        if column_of.shape[0] > 0:
            self.rows.column_of = &column_of[0]

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def converted(self, conversion):
        """The converted rows.

        Parameters
        ----------
        conversion : Conversion
            Of `cynn.data.inputs`.

        Returns
        -------
        array
            scale * rows + offset, of that dtype.
        """
        found = np.empty((self.rows.rows, self.rows.columns), conversion.dtype)
        self.convert(
            dtype_named(conversion.dtype), 0, self.rows.rows, NULL,
            self.scaling(conversion.scale, conversion.offset), False, address_of(found)
        )
        return found

    def first_nonfinite_row(self, conversion, const int64_t[::1] places=None):
        """The first row that has a NaN or an infinity after conversion.

        Parameters
        ----------
        conversion : Conversion
            Of `cynn.data.inputs`.
        places : array of int64, optional
            The numbers of the rows to look at, in that order; all by default.

        Returns
        -------
        int
            The number of the row, or -1.
        """
        cdef int64_t i, found = -1, count = self.rows.rows if places is None else places.shape[0]
        cdef const int64_t *index = NULL
        cdef const Dtype *converted
        cdef InputScaling scaling
        cdef Rows row
        cdef void *out
        if count == 0:
            return -1
        if places is not None:
            index = &places[0]
            for i in range(count):
                if not 0 <= index[i] < self.rows.rows:
                    raise IndexError(f"places must be from 0 to {self.rows.rows - 1}. Got {index[i]} instead.")
        converted, scaling = dtype_named(conversion.dtype), self.scaling(conversion.scale, conversion.offset)
        if changes_nothing(&scaling.scaling) and self.rows.kind == converted.kind:
            with nogil:
                if index == NULL:
                    found = converted.rows.first_nonfinite_row(&self.rows)
                else:
                    for i in range(count):
                        row = from_row(&self.rows, index[i])
                        row.rows = 1
                        if converted.rows.first_nonfinite_row(&row) >= 0:
                            found = index[i]
                            break
            return found
        buffer = np.empty((CONVERTED_AT_ONCE, self.rows.columns), conversion.dtype)
        out = address_of(buffer)
        for i in range(0, count, CONVERTED_AT_ONCE):
            found = self.convert(converted, i, min(CONVERTED_AT_ONCE, count - i), index, scaling, True, out)
            if found >= 0:
                return i + found if index == NULL else index[i + found]
        return -1

    cdef InputScaling scaling(self, scale, offset):
        if isinstance(scale, np.ndarray) and len(scale) != self.rows.columns:
            raise ValueError(f"scale must have {self.rows.columns} numbers. Got {len(scale)} instead.")
        return InputScaling(scale, offset)

    cdef int64_t convert(
        self, const Dtype *dtype, int64_t begin, int64_t count, const int64_t *index, InputScaling scaling,
        bint check_finite, void *out
    ):
        """Gather `count` rows: those from row `begin` on, or from `index[begin]` on.

        Returns the place of the first one that is not finite, counted from `begin`, or -1.
        """
        cdef Rows rows = self.rows
        if index == NULL:
            rows = from_row(&self.rows, begin)
        else:
            index += begin
        with nogil:
            begin = dtype.rows.gather(&rows, index, count, 0, &scaling.scaling, check_finite, out)
        return begin


cdef bint are_categories(const Source *source, int64_t rows, const void *x) noexcept nogil:
    """Whether gathered rows have valid categories."""
    return source.n_categories == 0 or source.dtype.rows.are_categories(
        source.n_categories, source.categories, rows, source.inputs, x
    )


cdef const void *gathered(const Source *source, const Rows *rows, bint check_finite, void *x) noexcept nogil:
    """The converted rows: gathered into x, or in place if they need no conversion.

    NULL if `check_finite` finds a NaN or an infinity.
    """
    cdef const Dtype *dtype = source.dtype
    cdef bint is_converted = (
        rows.kind == dtype.kind and changes_nothing(&source.scaling)
        and rows.column_stride == dtype.itemsize
        and (rows.rows == 1 or rows.row_stride == rows.columns * dtype.itemsize)
    )
    if is_converted:
        if check_finite and dtype.rows.first_nonfinite_row(rows) >= 0:
            return NULL
        return rows.data
    if dtype.rows.gather(rows, NULL, rows.rows, 0, &source.scaling, check_finite, x) >= 0:
        return NULL
    return x


cdef void scale_gradients(const Source *source, int64_t rows, void *gradients) noexcept nogil:
    """Derivatives by the converted x become derivatives by the caller's."""
    cdef const Dtype *dtype = source.dtype
    cdef Rows own
    if source.slope.scales == NULL:
        if source.slope.scale != 1:
            dtype.updates.scale(rows * source.inputs, source.slope.scale, gradients)
        return
    memset(&own, 0, sizeof(Rows))
    own.data, own.kind = <const char *>gradients, dtype.kind
    own.rows, own.columns = rows, source.inputs
    own.row_stride, own.column_stride = source.inputs * dtype.itemsize, dtype.itemsize
    dtype.rows.gather(&own, NULL, rows, 0, &source.slope, False, gradients)
