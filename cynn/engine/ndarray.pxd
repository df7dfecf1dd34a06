# The fields of a NumPy array, read from its struct. The buffer protocol takes a quarter of a microsecond. The header
# declares the struct alone, without the table of NumPy's functions.

cdef extern from *:
    """
    #define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
    #include <numpy/ndarraytypes.h>
    #define cynn_array(object) ((PyArrayObject *)(object))
    #define cynn_ndim(object) PyArray_NDIM(cynn_array(object))
    #define cynn_shape(object) PyArray_DIMS(cynn_array(object))
    #define cynn_strides(object) PyArray_STRIDES(cynn_array(object))
    #define cynn_data(object) ((char *)PyArray_DATA(cynn_array(object)))
    #define cynn_type(object) PyArray_TYPE(cynn_array(object))
    #define cynn_flags(object) PyArray_FLAGS(cynn_array(object))
    #define cynn_is_native(object) PyArray_ISNBO(PyArray_DESCR(cynn_array(object))->byteorder)
    """
    # of an object whose type is numpy.ndarray
    int array_ndim "cynn_ndim"(object)
    Py_ssize_t *array_shape "cynn_shape"(object)
    Py_ssize_t *array_strides "cynn_strides"(object)  # in bytes
    char *array_data "cynn_data"(object)
    int type_number "cynn_type"(object)
    int array_flags "cynn_flags"(object)
    bint is_native "cynn_is_native"(object)           # the byte order is that of this machine

    const int UINT8_NUMBER "NPY_UINT8"
    const int INT32_NUMBER "NPY_INT32"
    const int INT64_NUMBER "NPY_INT64"
    const int FLOAT32_NUMBER "NPY_FLOAT32"
    const int FLOAT64_NUMBER "NPY_FLOAT64"
    const int C_CONTIGUOUS "NPY_ARRAY_C_CONTIGUOUS"
    const int ALIGNED "NPY_ARRAY_ALIGNED"
    const int WRITEABLE "NPY_ARRAY_WRITEABLE"


cdef inline bint is_all_set(int flags, int wanted) noexcept nogil:
    return flags & wanted == wanted
