"""Gathers rows of the caller's array into a batch, and converts and scales them in the same pass."""

from cpython.pycapsule cimport PyCapsule_New
from libc.float cimport DBL_MAX, FLT_MAX, FLT_MIN
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from cynn cimport vector_math
from cynn.abi cimport floating
from cynn.kernels.tables cimport (
    FLOAT32,
    UINT8,
    Array,
    Categories,
    ConstArray,
    ConstDoubleArray,
    ConstFloatArray,
    DoubleArray,
    FloatArray,
    RowKernels,
    Rows,
    Scaling,
    set_row_kernels,
)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define cynn_prefetch_line(address) __builtin_prefetch(address)
    #else
    #define cynn_prefetch_line(address) ((void)(address))
    #endif
    """
    void cynn_prefetch_line(const void *address) noexcept nogil

ctypedef fused element:
    uint8_t
    float
    double

# How many rows ahead to prefetch, and how many bytes of a row.
cdef int64_t PREFETCH_ROWS = 8
cdef int64_t PREFETCH_BYTES = 4096


cdef inline void prefetch_row(const Rows *source, int64_t row) noexcept nogil:
    cdef int64_t byte
    cdef const char *address = source.data + row * source.row_stride
    cdef int64_t size = source.columns * source.column_stride
    for byte in range(0, size if size < PREFETCH_BYTES else PREFETCH_BYTES, 64):
        cynn_prefetch_line(address + byte)


cdef inline bint is_exact_in_float(element *typed, double scale, double offset, floating *out) noexcept nogil:
    """Whether one float32 product is as exact as double arithmetic, up to its rounding: if no offset is added."""
    return (
        sizeof(floating) == sizeof(float) and sizeof(element) <= sizeof(float)
        and offset == 0 and FLT_MIN <= fabs(scale) and fabs(scale) <= FLT_MAX
    )


cdef inline void convert_row(
    element *source, int64_t columns, int64_t column_stride, double scale, double offset, floating *out
) noexcept nogil:
    cdef int64_t j
    cdef floating factor
    if is_exact_in_float(source, scale, offset, out):
        factor = <floating>scale
        if column_stride == sizeof(element):
            for j in range(columns):
                out[j] = factor * <floating>source[j]
        else:
            for j in range(columns):
                out[j] = factor * <floating>(<element *>(<char *>source + j * column_stride))[0]
    elif column_stride == sizeof(element):
        for j in range(columns):
            out[j] = <floating>(scale * <double>source[j] + offset)
    else:
        for j in range(columns):
            out[j] = <floating>(scale * <double>(<element *>(<char *>source + j * column_stride))[0] + offset)


cdef inline void convert_columns(
    element *source, int64_t columns, int64_t column_stride, const double *scales, const double *offsets, floating *out
) noexcept nogil:
    """`convert_row` with a scale and an offset for each column."""
    cdef int64_t j
    if column_stride == sizeof(element):
        for j in range(columns):
            out[j] = <floating>(scales[j] * <double>source[j] + offsets[j])
    else:
        for j in range(columns):
            out[j] = <floating>(
                scales[j] * <double>(<element *>(<char *>source + j * column_stride))[0] + offsets[j]
            )


cdef inline bint has_nonfinite(const floating *row, int64_t columns, int64_t column_stride) noexcept nogil:
    cdef int64_t j
    cdef int found = 0
    if column_stride == sizeof(floating):
        for j in range(columns):
            found |= vector_math.nonfinite(row[j])
    else:
        for j in range(columns):
            found |= vector_math.nonfinite((<const floating *>(<const char *>row + j * column_stride))[0])
    return found


cdef inline bint is_block(
    const Rows *source, const int64_t *index, int64_t count, int64_t element_bytes
) noexcept nogil:
    """Whether the rows are contiguous without gaps, so that they can be processed as one long row."""
    cdef int64_t i
    if source.column_stride != element_bytes or source.row_stride != source.columns * element_bytes:
        return False
    for i in range(1, count if index != NULL else 0):
        if index[i] != index[0] + i:
            return False
    return count > 0


cdef inline floating converted(
    element value, const Scaling *scaling, int64_t column, floating *out
) noexcept nogil:
    """Convert one number, to the same bits as `convert_row` or `convert_columns`."""
    if scaling.scales != NULL:
        return <floating>(scaling.scales[column] * <double>value + scaling.offsets[column])
    if is_exact_in_float(&value, scaling.scale, scaling.offset, out):
        return <floating>scaling.scale * <floating>value
    return <floating>(scaling.scale * <double>value + scaling.offset)


cdef inline int64_t gather_sparse(
    element *values, const Rows *source, const int64_t *index, int64_t count, const Scaling *scaling,
    bint check_finite, floating *out
) noexcept nogil:
    """`gather` for sparse rows. A -0 becomes 0, as it does when it is added to 0 in a dense matrix."""
    cdef int64_t i, j, row, column, first = source.first_column
    cdef element zero = 0
    cdef floating filling = 0
    if scaling.scales == NULL:
        filling = converted(zero, scaling, 0, out)
    for i in range(count):
        row = i if index == NULL else index[i]
        if scaling.scales == NULL:
            for j in range(source.columns):
                out[j] = filling
        else:
            for j in range(source.columns):
                out[j] = converted(zero, scaling, first + j, out)
        for j in range(source.starts[row], source.starts[row + 1]):
            column = source.column_of[j] - first
            if 0 <= column < source.columns:
                out[column] = converted(<element>(values[j] + zero), scaling, first + column, out)
        if check_finite and has_nonfinite(out, source.columns, sizeof(floating)):
            return i
        out += source.columns
    return -1


cdef inline int64_t gather_of_kind(
    element *typed, const Rows *source, const int64_t *index, int64_t count, int64_t ahead, const Scaling *scaling,
    bint check_finite, floating *out
) noexcept nogil:
    """`gather` for one type of element; `typed` only selects the type."""
    cdef int64_t i, row
    cdef double scale = scaling.scale, offset = scaling.offset
    cdef element *values
    if source.starts != NULL:
        return gather_sparse(<element *>source.data, source, index, count, scaling, check_finite, out)
    if scaling.scales == NULL and is_block(source, index, count, sizeof(element)):
        row = 0 if index == NULL else index[0]
        convert_row(
            <element *>(source.data + row * source.row_stride), count * source.columns, sizeof(element), scale,
            offset, out
        )
        if not check_finite or not has_nonfinite(out, count * source.columns, sizeof(floating)):
            return -1
    for i in range(count):
        row = i
        if index != NULL:
            row = index[i]
            if i + PREFETCH_ROWS < count + ahead:
                prefetch_row(source, index[i + PREFETCH_ROWS])
        values = <element *>(source.data + row * source.row_stride)
        if scaling.scales == NULL:
            convert_row(values, source.columns, source.column_stride, scale, offset, out)
        else:
            convert_columns(
                values, source.columns, source.column_stride, scaling.scales + source.first_column,
                scaling.offsets + source.first_column, out
            )
        if check_finite and has_nonfinite(out, source.columns, sizeof(floating)):
            return i
        out += source.columns
    return -1


cdef inline int64_t gather(
    const Rows *source, const int64_t *index, int64_t count, int64_t ahead, const Scaling *scaling, bint check_finite,
    floating *out
) noexcept nogil:
    cdef double largest = FLT_MAX if sizeof(floating) == sizeof(float) else DBL_MAX
    if source.kind == UINT8:
        check_finite = check_finite and 255 * fabs(scaling.scale) + fabs(scaling.offset) > largest
        return gather_of_kind(<uint8_t *>NULL, source, index, count, ahead, scaling, check_finite, out)
    if source.kind == FLOAT32:
        return gather_of_kind(<float *>NULL, source, index, count, ahead, scaling, check_finite, out)
    return gather_of_kind(<double *>NULL, source, index, count, ahead, scaling, check_finite, out)


cdef int64_t first_nonfinite_row(const Rows *source) noexcept nogil:
    cdef int64_t row, columns, column_stride, itemsize
    cdef bint found
    cdef const char *address
    if source.kind == UINT8:
        return -1
    for row in range(source.rows):
        address, columns, column_stride = source.data + row * source.row_stride, source.columns, source.column_stride
        itemsize = sizeof(float) if source.kind == FLOAT32 else sizeof(double)
        if source.starts != NULL:
            address += source.starts[row] * itemsize
            columns, column_stride = source.starts[row + 1] - source.starts[row], itemsize
        if source.kind == FLOAT32:
            found = has_nonfinite(<const float *>address, columns, column_stride)
        else:
            found = has_nonfinite(<const double *>address, columns, column_stride)
        if found:
            return row
    return -1


cdef inline bint are_categories(
    int64_t n, const Categories *categories, int64_t rows, int64_t columns, const floating *x
) noexcept nogil:
    cdef int64_t i, row
    cdef floating category
    for i in range(n):
        for row in range(rows):
            category = x[row * columns + categories[i].column]
            if not (category >= 0 and category < categories[i].count and category == <floating><int64_t>category):
                return False
    return True


cdef inline void one_hot(
    const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, floating *target
) noexcept nogil:
    cdef int64_t i
    memset(target, 0, count * columns * sizeof(floating))
    for i in range(count):
        target[i * columns + classes[index[i]]] = 1


cdef inline void weigh(
    const double *sample_weight, const int64_t *index, int64_t count, double share, floating *weight
) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        weight[i] = <floating>(share * (1 if sample_weight == NULL else sample_weight[index[i]]))


# The functions of the tables.


cdef int64_t gather_untyped(
    const Rows *source, const int64_t *index, int64_t count, int64_t ahead, const Scaling *scaling, bint check_finite,
    Array out
) noexcept nogil:
    return gather(source, index, count, ahead, scaling, check_finite, out)


cdef bint are_categories_untyped(
    int64_t n, const Categories *categories, int64_t rows, int64_t columns, ConstArray x
) noexcept nogil:
    return are_categories(n, categories, rows, columns, x)


cdef void one_hot_untyped(
    const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, Array target
) noexcept nogil:
    one_hot(classes, index, count, columns, target)


cdef void weigh_untyped(
    const double *sample_weight, const int64_t *index, int64_t count, double share, Array weight
) noexcept nogil:
    weigh(sample_weight, index, count, share, weight)


cdef RowKernels[2] tables  # of float32 and of float64
set_row_kernels(
    &tables[0], gather_untyped[FloatArray], first_nonfinite_row, are_categories_untyped[ConstFloatArray],
    one_hot_untyped[FloatArray], weigh_untyped[FloatArray]
)
set_row_kernels(
    &tables[1], gather_untyped[DoubleArray], first_nonfinite_row, are_categories_untyped[ConstDoubleArray],
    one_hot_untyped[DoubleArray], weigh_untyped[DoubleArray]
)

TABLES = PyCapsule_New(tables, "cynn.kernels.rows", NULL)
