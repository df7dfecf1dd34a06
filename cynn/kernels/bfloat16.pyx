"""The affine map of a dense layer in bfloat16: x, W and delta are rounded to 8 bits of mantissa, sums stay in float32.

For processors with AMX (bfloat16_product.h). Products of few rows and of narrow layers are computed in float32.
"""

import os

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t

from cynn import kernels

from cynn.abi cimport CYNN_OPERATION_CAPSULE, cynn_operands, cynn_operation, cynn_pass, cynn_prefetch, operation_capsule

cdef extern from "prefetch.h" nogil:
    void cynn_prefetch_rest(cynn_prefetch *)

cdef extern from "bfloat16_product.h" nogil:
    bint cynn_has_amx()
    void cynn_bfloat16_product(
        int64_t m, int64_t n, int64_t k, const float *A, int64_t row_stride, int64_t k_stride, const float *B,
        int64_t row_stride_of_B, int64_t column_stride, const float *bias, float alpha, float beta, float *C,
        int64_t ldc
    )

cdef enum:
    # Measured: with less, copying the factors costs more than the product gains.
    MIN_ROWS = 32
    MIN_WIDTH = 64


cdef bint is_wide(const cynn_operands *op, int64_t rows) noexcept nogil:
    return rows >= MIN_ROWS and op.widths[0] >= MIN_WIDTH and op.units >= MIN_WIDTH


cdef void forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, float *out
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units
    if not is_wide(op, end - begin):
        in_float32.forward_f32(op, pass_, begin, end, out)
        return
    cynn_bfloat16_product(
        end - begin, units, inputs, <const float *>op.x[0] + begin * inputs, inputs, 1,
        <const float *>op.parameters[0], units, 1, <const float *>op.parameters[1], 1, 0, out + begin * units, units
    )
    cynn_prefetch_rest(pass_.prefetch)


cdef void backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, float *delta
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units
    if not is_wide(op, end - begin):
        in_float32.backward_f32(op, pass_, begin, end, delta)
    elif op.dx[0] != NULL:
        cynn_bfloat16_product(
            end - begin, inputs, units, delta + begin * units, units, 1, <const float *>op.parameters[0], 1, units,
            NULL, 1, 0, <float *>op.dx[0] + begin * inputs, inputs
        )


cdef void forward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, float *out
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units
    cdef const float *b = <const float *>op.parameters[1]
    if not is_wide(op, pass_.rows):
        in_float32.forward_columns_f32(op, pass_, begin, end, out)
        return
    if b != NULL:
        b += begin
    cynn_bfloat16_product(
        pass_.rows, end - begin, inputs, <const float *>op.x[0], inputs, 1, <const float *>op.parameters[0] + begin,
        units, 1, b, 1, 0, out + begin, units
    )
    cynn_prefetch_rest(pass_.prefetch)


cdef void backward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, float *delta
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units
    if not is_wide(op, pass_.rows):
        in_float32.backward_columns_f32(op, pass_, begin, end, delta)
    elif op.dx[0] != NULL:
        cynn_bfloat16_product(
            pass_.rows, end - begin, units, delta, units, 1, <const float *>op.parameters[0] + begin * units, 1, units,
            NULL, 1, 0, <float *>op.dx[0] + begin, inputs
        )


cdef void weight_product(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, float alpha, float beta, float *C
) noexcept nogil:
    """C := alpha (rows begin..end of xᵀ delta) + beta C."""
    cdef int64_t inputs = op.widths[0], units = op.units
    cynn_bfloat16_product(
        end - begin, units, pass_.rows, <const float *>op.x[0] + begin, 1, inputs, <const float *>op.delta, units, 1,
        NULL, alpha, beta, C, units
    )
    cynn_prefetch_rest(pass_.prefetch)


cdef void gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, float *grad
) noexcept nogil:
    if parameter == 0 and is_wide(op, pass_.rows):
        weight_product(op, pass_, begin, end, 1, 0, grad)
    else:
        in_float32.gradient_f32(op, pass_, parameter, begin, end, grad)


cdef void linear_step(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, double alpha, double beta,
    float *scratch
) noexcept nogil:
    if is_wide(op, pass_.rows):
        weight_product(
            op, pass_, begin, end, <float>alpha, <float>beta, <float *>op.parameters[0] + begin * op.units
        )
    else:
        in_float32.linear_step_f32(op, pass_, begin, end, alpha, beta, scratch)


cdef cynn_operation *in_float32 = <cynn_operation *>PyCapsule_GetPointer(
    kernels.dense.KERNELS["affine"], CYNN_OPERATION_CAPSULE
)
cdef cynn_operation table = in_float32[0]
table.forward_f32 = forward
table.backward_f32 = backward
table.forward_columns_f32 = forward_columns
table.backward_columns_f32 = backward_columns
table.gradient_f32 = gradient
table.linear_step_f32 = linear_step

#: Whether this machine has AMX, and `CYNN_CPU` does not force a lower level.
IS_AVAILABLE = os.environ.get("CYNN_CPU") in (None, "", "avx512") and cynn_has_amx()

KERNELS = {"affine": operation_capsule(&table, in_float32.flags)}
