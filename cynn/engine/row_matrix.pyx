"""A caller's rows, as prediction and training read them: in place, or gathered, converted and scaled."""

import numpy as np

from cynn import kernels

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.engine.workspace cimport address_of
from cynn.kernels.tables cimport FLOAT32, FLOAT64, UINT8, RowKernels, Rows

cdef int64_t CONVERTED_AT_ONCE = 128  # rows, whose conversions are to stay in cache


cdef const RowKernels *kernels_of_rows = <const RowKernels *>PyCapsule_GetPointer(
    kernels.rows.TABLE, "cynn.kernels.rows"
)


cdef class RowMatrix:
    """A caller's matrix of uint8, float32 or float64, with any strides, held while it is read."""

    def __cinit__(self, object array):
        cdef char kind
        PyObject_GetBuffer(array, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        if self.buffer.ndim != 2:
            raise ValueError(f"array must have 2 dimensions. Got {self.buffer.ndim} instead.")
        kind = self.buffer.format[0]
        if kind not in (c"B", c"f", c"d") or self.buffer.format[1] != 0:
            raise ValueError(f"array must be uint8, float32 or float64. Got {self.buffer.format} instead.")
        self.rows.kind = UINT8 if kind == c"B" else (FLOAT32 if kind == c"f" else FLOAT64)
        self.rows.data = <const char *>self.buffer.buf
        self.rows.rows = self.buffer.shape[0]
        self.rows.columns = self.buffer.shape[1]
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def converted(self, conversion):
        """The rows as a network sees them.

        Parameters
        ----------
        conversion : tuple of str, float and float
            As cynn.data.Conversion: the dtype of the network, a scale and an offset.

        Returns
        -------
        array
            scale * rows + offset, of that dtype.
        """
        cdef str dtype
        cdef double scale, offset
        dtype, scale, offset = conversion
        found = np.empty((self.rows.rows, self.rows.columns), dtype)
        self.convert(dtype == "float32", 0, self.rows.rows, scale, offset, False, address_of(found))
        return found

    def first_nonfinite_row(self, conversion):
        """The first row with a NaN or an infinity as a network sees it.

        Parameters
        ----------
        conversion : tuple of str, float and float
            As cynn.data.Conversion: the dtype of the network, a scale and an offset.

        Returns
        -------
        int
            The number of the row; -1 for none.
        """
        cdef str dtype
        cdef double scale, offset
        cdef int64_t begin, found
        cdef bint is_float32
        cdef void *out
        dtype, scale, offset = conversion
        is_float32 = dtype == "float32"
        if scale == 1 and offset == 0 and self.rows.kind == (FLOAT32 if is_float32 else FLOAT64):
            with nogil:
                found = kernels_of_rows.first_nonfinite_row(&self.rows)
            return found
        room = np.empty((CONVERTED_AT_ONCE, self.rows.columns), dtype)
        out = address_of(room)
        for begin in range(0, self.rows.rows, CONVERTED_AT_ONCE):
            found = self.convert(
                is_float32, begin, min(CONVERTED_AT_ONCE, self.rows.rows - begin), scale, offset, True, out
            )
            if found >= 0:
                return begin + found
        return -1

    cdef int64_t convert(
        self, bint is_float32, int64_t begin, int64_t count, double scale, double offset, bint check_finite, void *out
    ):
        """Some of the rows, one after the other; the first of them that is not finite, as `gather` says."""
        cdef Rows rows = self.rows
        rows.data += begin * rows.row_stride
        with nogil:
            if is_float32:
                begin = kernels_of_rows.gather_f32(&rows, NULL, count, 0, scale, offset, check_finite, <float *>out)
            else:
                begin = kernels_of_rows.gather_f64(&rows, NULL, count, 0, scale, offset, check_finite, <double *>out)
        return begin


cdef int64_t gather_rows(
    const Source *source, const Rows *rows, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil:
    if floating is float:
        return source.row_kernels.gather_f32(rows, index, count, ahead, scale, offset, check_finite, out)
    else:
        return source.row_kernels.gather_f64(rows, index, count, ahead, scale, offset, check_finite, out)


cdef bint are_categories(const Source *source, int64_t rows, const floating *x) noexcept nogil:
    """Whether gathered rows hold categories where they must."""
    cdef const Categories *one
    cdef int64_t i, row
    cdef floating category
    for i in range(source.n_categories):
        one = &source.categories[i]
        for row in range(rows):
            category = x[row * source.inputs + one.column]
            if not (category >= 0 and category < one.count and category == <floating><int64_t>category):
                return False
    return True


cdef const floating *gathered(
    const Source *source, const Rows *rows, bint check_finite, floating *x
) noexcept nogil:
    """The rows as the network sees them: gathered into x, or where they lie if they are as they must be.

    NULL where `check_finite` finds a NaN or an infinity.
    """
    cdef bint as_they_are = (
        rows.kind == (FLOAT32 if sizeof(floating) == sizeof(float) else FLOAT64)
        and source.scale == 1 and source.offset == 0 and rows.column_stride == sizeof(floating)
        and (rows.rows == 1 or rows.row_stride == rows.columns * <int64_t>sizeof(floating))
    )
    if as_they_are:
        if check_finite and source.row_kernels.first_nonfinite_row(rows) >= 0:
            return NULL
        return <const floating *>rows.data
    if gather_rows(source, rows, NULL, rows.rows, 0, source.scale, source.offset, check_finite, x) >= 0:
        return NULL
    return x
