# A training step that also trains derivatives of the outputs by the inputs.
from libc.stdint cimport int64_t

from cynn.engine.dtypes cimport Dtype
from cynn.engine.step cimport Step
from cynn.engine.tangent_step cimport TangentStep
from cynn.kernels.tables cimport Rows, Scaling


# An output whose derivatives are given for some rows.
ctypedef struct DerivativeHead:
    int64_t number               # of the output
    int64_t value                # in the engine
    int64_t units
    int64_t entry                # its index in TangentStep.entries
    int64_t first_copy           # if is_backward, the copy for its first unit
    int64_t columns              # of the given derivatives
    double loss_weight
    const Rows *source           # the derivatives of the whole run; NaN: not given
    const double *row_weight
    void *given                  # of the batch
    void *weight
    double *tile_loss


cdef class DerivativeStep(TangentStep):
    cdef const Dtype *dtype
    cdef Scaling slope           # of Input, for the directions of a row
    cdef int64_t inputs
    cdef bint is_backward
    cdef int64_t n_losses
    cdef int64_t n_entries
    cdef int64_t *units          # of each entry
    cdef DerivativeHead *heads
    cdef int64_t n_heads
    cdef const Rows *source      # of the directions; NULL: the unit vectors
    cdef void *directions        # of the batch
    cdef list losses             # for each head, the losses of the tiles
    cdef void gather(self, const Step *step, int64_t begin, int64_t end) noexcept nogil
    cdef void set_loss_tangents(self, int64_t begin, int64_t end) noexcept nogil
    cdef void set_unit_vectors(self, int64_t begin, int64_t end) noexcept nogil
    cdef void set_directions(self, int64_t begin, int64_t end) noexcept nogil
    cdef void compare(
        self, const DerivativeHead *head, int64_t piece, int64_t begin, int64_t end
    ) noexcept nogil
