# The plan of a training step: all data that it needs.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from cynn.engine.engine cimport Engine
from cynn.engine.loss_kernel cimport LossKernel
from cynn.engine.optimizer_kernel cimport OptimizerKernel
from cynn.engine.row_matrix cimport RowMatrix
from cynn.engine.step cimport Block, Part, Step
from cynn.engine.tangent_step cimport TangentStep
from cynn.engine.thread_team cimport Team
from cynn.engine.workspace cimport Workspace


cdef class StepPlan:
    cdef Step step
    cdef Engine engine
    cdef Workspace workspace
    cdef TangentStep tangents          # or None
    cdef Team team
    cdef list losses
    cdef OptimizerKernel optimizer
    cdef RowMatrix x
    cdef list keep                     # keeps the objects alive that step has addresses of
    cdef list weights                  # the parameters of every operation in turn; None for an absent one
    cdef list gradients                # None if the optimizer updates each block at once
    cdef list slots, averages          # for each of the weights, if they exist
    cdef list batch_targets, batch_weights, tile_losses   # for each output
    cdef list values_of_losses         # the numbers of those that losses read, predictions included
    cdef list part_arrays              # x and out of each part of the inputs, if there are several
    cdef list predictions              # for each output, those of the epoch; None if they are not wanted
    cdef double[::1] sums              # of this epoch
    cdef double *h                     # the optimizer's hyperparameters
    cdef const double *undecayed_h     # for parameters without weight decay
    cdef object decay_place            # the index of weight decay among the hyperparameters, or None
    cdef bint is_decay_scheduled
    cdef double **scheduled            # the hyperparameters that change from step to step
    cdef int64_t n_scheduled
    cdef int64_t batch_size
    cdef bint is_worth_a_team          # a step has enough work for several threads
    cdef int64_t accumulation          # the number of batches per step

    cdef set_data(self, x, row_weight)
    cdef set_updates(self, settings)
    cdef set_hyperparameters(self, settings)
    cdef tuple python_optimizers(self)
    cdef set_scheduled(self, settings)
    cdef set_tangents(self, derivatives, list direction, list values)
    cdef tuple set_heads(self, list targets, list sample_weights, list loss_weights)
    cdef bint set_head(
        self, int64_t number, LossKernel loss, double loss_weight, target, classes, sample_weight
    ) except -1
    cdef int64_t tile_rows(self, bint whole_batch)
    cdef bint is_divided(self)
    cdef allocate_heads(self, list values)
    cdef allocate_head(self, int64_t number, int64_t loss_input)
    cdef divide_inputs(self)
    cdef const Part *part_of(self, int64_t row)
    cdef plan_prefetching(self)
    cdef set_parameters(self, settings)
    cdef set_rules(self, settings)
    cdef plan_blocks(self)
    cdef plan_constraints(self)
    cdef Block *as_blocks(self, list planned) except NULL
    cdef double *doubles(self, list values) except NULL
    cdef void **addresses(self, list arrays) except NULL
    cdef void *zeros(self, int64_t n, size_t size) except NULL
