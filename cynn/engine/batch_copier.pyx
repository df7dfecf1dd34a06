"""Checks batches in the usual form, and copies them to the arrays that the engine reads, all in compiled code.

The usual form is NumPy arrays of the dtypes of those arrays. `cynn.data` converts all other forms.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from cynn.engine.dtypes cimport dtype_named
from cynn.engine.ndarray cimport (
    ALIGNED,
    FLOAT32_NUMBER,
    INT32_NUMBER,
    INT64_NUMBER,
    UINT8_NUMBER,
    array_data,
    array_flags,
    array_ndim,
    array_shape,
    array_strides,
    is_all_set,
    is_native,
    type_number,
)
from cynn.engine.workspace cimport address_of
from cynn.kernels.tables cimport AS_IT_IS, FLOAT32, FLOAT64, Rows

cdef object np_ndarray = np.ndarray


cdef class BatchCopier:
    """Checks batches, and copies them to the arrays that the engine reads.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The dtype of the network.
    rows : array of shape (n, inputs), or None
        Where to copy the inputs; None if only targets are copied.
    values, classes : array of shape (n, outputs), and int64 array of shape (n,)
        Where to copy the targets of the only output; one of them is None, or both if there are several outputs.
    n_classes : int
        The number of classes.
    weights : list of float64 array of shape (n,)
        All weights of rows, which become 1.
    capacity : int
        The largest number of rows of a batch.
    """

    def __cinit__(self, str dtype, rows, values, classes, int64_t n_classes, list weights, int64_t capacity):
        self.dtype, self.capacity, self.n_classes = dtype_named(dtype), capacity, n_classes
        self.weights = np.array([<size_t>address_of(weight) for weight in weights], np.int64)
        self.keep = [rows, values, classes, weights]
        if rows is not None:
            describe(&self.rows, rows)
        if values is not None:
            buffer = np.empty((capacity, values.shape[1]), dtype)
            describe(&self.values, values)
            self.converted = address_of(buffer)
            self.keep.append(buffer)
        if classes is not None:
            self.classes = <int64_t *>address_of(classes)

    def put(self, int64_t begin, x, y, bint check_finite):
        """Check and copy a batch without weights of rows. The step checks the numbers of x.

        Parameters
        ----------
        begin : int
            Where to copy its first row: 0 or `capacity`.
        x, y : object
            The batch.
        check_finite : bool
            Whether a NaN or an infinity in y is an error.

        Returns
        -------
        int
            The number of rows; 0 if the batch has another form, or something in it is wrong.
        """
        cdef int64_t n, row, i
        if type(x) is not np_ndarray or array_ndim(x) != 2:
            return 0
        n = array_shape(x)[0]
        if n < 1 or n > self.capacity or not copy_rows(&self.rows, begin, n, x):
            return 0
        if not self.put_targets(begin, n, y, check_finite):
            return 0
        for i in range(self.weights.shape[0]):
            for row in range(begin, begin + n):
                (<double *><size_t>self.weights[i])[row] = 1
        return n

    def put_targets(self, int64_t begin, int64_t n, y, bint check_finite):
        """Check and copy targets alone.

        Parameters
        ----------
        begin, n : int
            The first row, and the number of rows, at most `capacity`.
        y : object
            The targets.
        check_finite : bool
            Whether a NaN or an infinity in y is an error.

        Returns
        -------
        bool
            Whether they have been copied. If not, they have another form, or something in them is wrong.
        """
        if type(y) is not np_ndarray or n > self.capacity:
            return False
        return self.put_classes(begin, n, y) if self.classes != NULL else self.put_values(begin, n, y, check_finite)

    cdef bint put_values(self, int64_t begin, int64_t n, y, bint check_finite) noexcept:
        cdef Rows rows
        if self.values.data == NULL or not copy_rows(&self.values, begin, n, y):
            return False
        if not check_finite or self.values.number == UINT8_NUMBER:
            return True
        memset(&rows, 0, sizeof(rows))
        rows.kind = FLOAT32 if self.values.number == FLOAT32_NUMBER else FLOAT64
        rows.rows, rows.columns, rows.column_stride = n, self.values.columns, self.values.itemsize
        rows.row_stride = rows.columns * rows.column_stride
        rows.data = self.values.data + begin * rows.row_stride
        if rows.kind == self.dtype.kind:
            return self.dtype.rows.first_nonfinite_row(&rows) < 0
        return self.dtype.rows.gather(&rows, NULL, n, 0, &AS_IT_IS, True, self.converted) < 0

    cdef bint put_classes(self, int64_t begin, int64_t n, y) noexcept:
        cdef int number = type_number(y)
        cdef int64_t row, label, stride
        cdef const char *data
        if not is_column(y, n):
            return False
        data, stride = array_data(y), array_strides(y)[0]
        for row in range(n):
            if number == INT64_NUMBER:
                label = (<const int64_t *>(data + row * stride))[0]
            elif number == INT32_NUMBER:
                label = (<const int32_t *>(data + row * stride))[0]
            elif number == UINT8_NUMBER:
                label = (<const unsigned char *>(data + row * stride))[0]
            else:
                return False
            if label < 0 or label >= self.n_classes:
                return False
            self.classes[begin + row] = label
        return True


cdef int describe(Target *target, array) except -1:
    target.data, target.number = <char *>address_of(array), type_number(array)
    target.columns, target.itemsize = array.shape[1], array.itemsize
    return 0


cdef bint is_column(array, int64_t n) noexcept:
    """Whether an array has one number per row, aligned and in native byte order."""
    cdef int ndim = array_ndim(array)
    return (
        (ndim == 1 or ndim == 2 and array_shape(array)[1] == 1) and array_shape(array)[0] == n
        and is_all_set(array_flags(array), ALIGNED) and is_native(array)
    )


cdef bint copy_rows(const Target *target, int64_t begin, int64_t n, array) noexcept:
    """Copy n rows, if they have the dtype of the target, and each of them is contiguous."""
    cdef int64_t size = target.columns * target.itemsize, row, stride
    cdef const char *data
    cdef char *out = target.data + begin * size
    if type_number(array) != target.number:
        return False
    if array_ndim(array) == 2:
        if (
            array_shape(array)[0] != n or array_shape(array)[1] != target.columns
            or target.columns > 1 and array_strides(array)[1] != target.itemsize
            or not is_all_set(array_flags(array), ALIGNED) or not is_native(array)
        ):
            return False
    elif target.columns != 1 or not is_column(array, n):
        return False
    data, stride = array_data(array), array_strides(array)[0]
    if stride == size or n == 1:
        memcpy(out, data, n * size)
        return True
    for row in range(n):
        memcpy(out + row * size, data + row * stride, size)
    return True
