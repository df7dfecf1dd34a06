# The share of one rank in a training step that several processes take together.
from libc.stdint cimport int8_t, int64_t

from cynn.engine.step cimport Block
from cynn.engine.step_plan cimport StepPlan
from cynn.engine.thread_team cimport Task


cdef class RankShare:
    cdef StepPlan plan
    cdef object communicator
    cdef int64_t rank
    cdef int64_t n_ranks
    cdef bint exchanges_gradients       # the optimizer takes steps on whole parameters
    cdef bint has_penalty
    cdef list stages                    # for each stage, the arrays to exchange, with their part of the inputs or None
    cdef int8_t[::1] is_shared          # for each stage, whether each rank runs a share of it, and not all of it
    cdef list borders_of_blocks         # for each parameter, the first element of each rank's blocks, and the end
    cdef list borders_of_updates
    cdef object error                   # what ended an exchange
    cdef bint has_failed

    cdef int64_t first(self, int64_t pieces, int64_t rank) noexcept nogil
    cdef void run(self, Task task, int64_t pieces) noexcept nogil
    cdef void run_stage(self, int64_t number) noexcept nogil
    cdef void exchange_stage(self, int64_t number) noexcept with gil
    cdef bint agree(self) noexcept with gil
    cdef void run_blocks(self, bint ends_step) noexcept nogil
    cdef void run_norms(self) noexcept nogil
    cdef void run_updates(self) noexcept nogil
    cdef void exchange_weights(self) noexcept nogil
    cdef void exchange_parameters(self, list arrays, list borders) noexcept with gil
    cdef void exchange_of_blocks(self, double *first) noexcept with gil
    cdef void exchange(self, list arrays) noexcept
    cdef list borders_of(self, const Block *blocks, int64_t n)
