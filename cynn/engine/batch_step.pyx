"""Steps on batches that come one by one, with little overhead per step."""

import numpy as np

from libc.stdint cimport int64_t

from cynn.engine.trainer cimport Trainer
from cynn.engine.weights_lock cimport Turn, WeightsLock

cdef int64_t NO_LIMIT = 1 << 62


cdef class BatchStep:
    """Takes steps on batches that have been written to the arrays of a trainer.

    Parameters
    ----------
    trainer : Trainer
        The trainer.
    n_rows : int
        The number of rows of its arrays.
    """

    cdef Trainer trainer
    cdef const int64_t[::1] places
    cdef double[::1] rate

    def __cinit__(self, Trainer trainer, int64_t n_rows):
        self.trainer = trainer
        self.places = np.arange(n_rows)
        self.rate = np.zeros(1)

    def step(
        self, WeightsLock lock, state, int64_t n, bint check_finite, int64_t epoch, double rate,
        const double[:, ::1] scheduled, double weight
    ):
        """Take a step on the first n rows.

        Parameters
        ----------
        lock, state, n, rate, scheduled
            As for `take`.
        check_finite, epoch
            As for `Trainer.begin_epoch`. Random numbers also depend on the number of the step, `state.t`.
        weight : float
            The weight of the loss, if there is one output.

        Returns
        -------
        float or None
            The loss of the batch, if there is one output. None if the weights are no longer finite.
        """
        cdef const double[::1] sums = self.trainer.plan.sums
        self.begin(check_finite, epoch, state.t)
        self.take(lock, state, 0, n, rate, scheduled, None)
        if not self.trainer.has_finite_weights():
            return None
        return sums[2] / sums[0] * weight + sums[1] / sums[0]

    cpdef take(
        self, WeightsLock lock, state, int64_t begin, int64_t n, double rate, const double[:, ::1] scheduled,
        list predictions
    ):
        """Take a step on rows of the trainer's arrays.

        Parameters
        ----------
        lock : WeightsLock
            The lock of the network.
        state : OptimizerState
            Counts the steps, also if Ctrl-C is raised afterwards.
        begin, n : int
            The first row, and the number of rows.
        rate : float
            The learning rate.
        scheduled, predictions : array, list
            As for `Trainer.run`.
        """
        cdef Trainer trainer = self.trainer
        cdef int64_t before = trainer.steps, t
        cdef Turn turn = lock.turn()
        turn.begin()
        try:
            t = state.t
            self.rate[0] = rate
            try:
                trainer.take_steps(
                    self.places[begin : begin + n], 0, t + 1, self.rate, scheduled, predictions, 0, NO_LIMIT
                )
            finally:
                state.t = t + trainer.steps - before
        finally:
            turn.end()

    cpdef begin(self, bint check_finite, int64_t epoch, int64_t batches):
        """As `Trainer.begin_epoch`."""
        self.trainer.start_epoch(check_finite, epoch)
        self.trainer.batches = batches

    def compute_gradients(self, int64_t n):
        """Compute the gradients of the loss of the first n rows. The weights and the count of steps do not change."""
        cdef Trainer trainer = self.trainer
        cdef bint updates = trainer.plan.step.pass_.updates
        cdef int64_t steps = trainer.steps
        trainer.plan.step.pass_.updates = False
        try:
            trainer.take_steps(self.places[:n], 0, 1, self.rate, None, None, 0, NO_LIMIT)
        finally:
            trainer.plan.step.pass_.updates, trainer.steps = updates, steps

    def apply_gradients(self, WeightsLock lock, state, double rate, const double[:, ::1] scheduled):
        """Take the optimizer's step with the `gradients` of the trainer.

        Parameters
        ----------
        lock, state, rate, scheduled
            As for `take`.
        """
        cdef Trainer trainer = self.trainer
        cdef int64_t before = trainer.steps, t
        cdef Turn turn = lock.turn()
        turn.begin()
        try:
            t = state.t
            try:
                trainer.apply_gradients(rate, scheduled, t + 1)
            finally:
                state.t = t + trainer.steps - before
        finally:
            turn.end()
