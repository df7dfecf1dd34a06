# Training steps of one network on one set of data.
from libc.stdint cimport int64_t

from cynn.engine.rank_share cimport RankShare
from cynn.engine.step_plan cimport StepPlan


# The result of a batch. Only with the first and the last, weights have changed.
cdef enum Status:
    STEPPED
    LOSS_IS_NOT_FINITE
    NORM_IS_NOT_FINITE   # the norm of a gradient that must be clipped
    ROW_IS_UNUSABLE      # a row of x
    PYTHON_RAISED
    A_RANK_FAILED        # or an exchange with it; some weights may have changed


cdef class Trainer:
    cdef StepPlan plan
    cdef RankShare share               # of this process, if there are several
    cdef bint has_ranks
    cdef object python_error
    cdef const int64_t[:, ::1] moved   # address and size of each array that steps change
    cdef double norm                   # of the gradient, if it is not finite
    cdef readonly int64_t steps        # taken in all
    cdef readonly int64_t batches      # of this epoch that are done
    cdef readonly int64_t epochs_done  # in the last run_epochs

    cdef void start_epoch(self, bint check_finite, int64_t epoch) noexcept
    cdef bint has_finite_weights(self) noexcept
    cdef int64_t take_steps(
        self, const int64_t[::1] order, int64_t first_batch, int64_t t, const double[::1] learning_rates,
        const double[:, ::1] scheduled, list predictions, double seconds, int64_t max_steps
    ) except -1
    cdef int apply_gradients(self, double learning_rate, const double[:, ::1] scheduled, int64_t t) except -1
    cdef Status train_on_batch(self, bint ends_step, double *loss) noexcept nogil
    cdef bint find_factors(self) noexcept nogil
    cdef int python_loss(self, int64_t head, int64_t rows, double *value) noexcept
    cdef int python_product(self, int64_t head, int64_t rows) noexcept
    cdef Status python_optimizer_step(self) noexcept
    cdef int raise_unless_stepped(self, Status status, int64_t batch, double loss) except -1
    cdef raise_python_error(self)
