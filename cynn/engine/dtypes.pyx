"""The functions of each dtype. An engine selects one table of them when it is built."""

from cynn import kernels

from cpython.pycapsule cimport PyCapsule_GetPointer

from cynn.kernels.tables cimport DirectionKernels, RowKernels, UpdateKernels

cdef extern from *:
    """
    #include "activation_calls.h"
    #include "dtype_table.h"

    #define T float
    #define NAME(x) x##_f32
    #include "dtype_functions.h"
    #undef T
    #undef NAME
    #define T double
    #define NAME(x) x##_f64
    #include "dtype_functions.h"
    """
    Dtype FLOAT32 "cynn_dtype_f32"
    Dtype FLOAT64 "cynn_dtype_f64"

cdef const RowKernels *rows = <const RowKernels *>PyCapsule_GetPointer(kernels.rows.TABLES, "cynn.kernels.rows")
cdef const UpdateKernels *updates = <const UpdateKernels *>PyCapsule_GetPointer(
    kernels.updates.TABLES, "cynn.kernels.updates"
)
cdef const DirectionKernels *directions = <const DirectionKernels *>PyCapsule_GetPointer(
    kernels.directions.TABLES, "cynn.kernels.directions"
)
FLOAT32.rows, FLOAT64.rows = rows[0], rows[1]
FLOAT32.updates, FLOAT64.updates = updates[0], updates[1]
FLOAT32.directions, FLOAT64.directions = directions[0], directions[1]


cdef const Dtype *dtype_named(str name) except NULL:
    if name not in ("float32", "float64"):
        raise ValueError(f"the dtype of the engine must be float32 or float64. Got {name} instead.")
    return &FLOAT32 if name == "float32" else &FLOAT64


cdef const Dtype *dtype_of(object array) except NULL:
    return dtype_named(array.dtype.name if array.dtype.isnative else str(array.dtype))
