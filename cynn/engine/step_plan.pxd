# What a step of training works on.
from libc.stdint cimport int64_t

from cynn.engine.engine cimport Engine
from cynn.engine.loss_kernel cimport LossKernel
from cynn.engine.optimizer_kernel cimport OptimizerKernel
from cynn.engine.row_matrix cimport RowMatrix
from cynn.engine.step cimport Block, Part, Step
from cynn.engine.thread_team cimport Team
from cynn.engine.workspace cimport Workspace


cdef class StepMemory:
    cdef Step step
    cdef Engine engine
    cdef Workspace workspace
    cdef Team team
    cdef list losses
    cdef OptimizerKernel optimizer
    cdef RowMatrix x
    cdef list keep                     # what the addresses in step belong to
    cdef list weights                  # W and b of every layer in turn, b perhaps None
    cdef list own_gradients            # None where the optimizer steps as soon as one is there
    cdef list own_slots
    cdef list batch_targets, batch_weights   # of each output
    cdef double[::1] own_sums
    cdef object settings
    cdef double clip_norm, global_clip_norm
    cdef double *norms                 # of each parameter's gradient
    cdef bint is_elementwise
    cdef int64_t n_blocks, n_updated, n_constrained, n_parameters
    cdef int64_t batch_size

    cdef bint set_head(
        self, int64_t number, LossKernel loss, double loss_weight, target, classes, sample_weight
    ) except -1
    cdef int64_t tile_rows(self, bint whole_batch)
    cdef bint is_divided(self)
    cdef const Part *part_of(self, int64_t row)
    cdef divide_inputs(self)
    cdef allocate_head(self, int64_t number, int64_t loss_input)
    cdef allocate(self, int n_threads, list loss_inputs, set passed_over)
    cdef Block *as_blocks(self, list described) except NULL
    cdef double *doubles(self, list values) except NULL
    cdef set_rules(self)
    cdef void **addresses(self, list arrays) except NULL
