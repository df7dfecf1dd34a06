# A training step with passes of directional derivatives instead of its backward pass.
from libc.stdint cimport int64_t

from cynn.abi cimport cynn_operands, cynn_pass, cynn_tangents
from cynn.engine.engine cimport Engine
from cynn.engine.step cimport Step
from cynn.engine.tangents cimport Tangents


cdef class TangentStep:
    cdef Tangents base            # of the workspace of the step
    cdef Tangents wide            # with copies of its rows
    cdef readonly int64_t copies  # of each row
    cdef readonly list entries    # values from which the backward pass begins: first those of the losses
    cdef int64_t *values          # the same
    cdef list keep                # what the C structs point to
    cdef void *hold(self, array) except NULL
    cdef int set_up(self, Engine engine, list entries, int64_t rows, int64_t copies) except -1
    cdef const cynn_operands *op(self, int64_t node) noexcept
    cdef const cynn_tangents *tangents(self, int64_t node) noexcept
    cdef int backward(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef int backward_jvp(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef void weigh(self, const Step *step) noexcept nogil
    cdef double total(self, const Step *step, double *sums) noexcept nogil
    cdef int run(self, const Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil


cdef Tangents tangents_of(Engine engine, list entries, int64_t rows)
cdef int run_tangents(void *tangent_step, Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil
