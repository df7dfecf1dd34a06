"""The lock of a network's weights: one call trains it at a time, and no reader sees a step half done.

This module is compiled and runs under the GIL, so every change of its state is atomic: no other thread and no Ctrl-C
can interrupt it.
"""

import os

from cynn.errors import BusyError

from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int microseconds)

cdef unsigned int POLL_MICROSECONDS = 100

cdef int64_t forks = 0  # since the process that imported this module


def _count_fork():
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


cdef class Holder:
    """A call in a thread of a process, which holds the lock or waits for it."""

    def __cinit__(self, WeightsLock lock, str call):
        self.lock, self.call = lock, call
        self.thread, self.forks = PyThread_get_thread_ident(), forks

    cdef bint is_alive(self) noexcept:
        """False after a fork: the child lacks the other threads, so what they held is free."""
        return self.forks == forks

    cdef bint is_this_thread(self) noexcept:
        return self.thread == PyThread_get_thread_ident()

    cdef int refuse(self, str call) except -1:
        """Raise the BusyError of a call that cannot run during this one."""
        where = "in whose callback it is" if self.is_this_thread() else "on another thread"
        raise BusyError(
            f"A network must be changed by one call at a time. Got {call} beside {self.call} {where} "
            "instead. predict, evaluate, activations, gradients and save may run beside it; what trains needs a "
            "network of its own, such as copy.deepcopy(network), or has to wait."
        )


cdef class Training(Holder):
    """A context for a call that trains. A second one at the same time is a BusyError."""

    def __enter__(self):
        cdef Holder other = self.lock.training
        if other is None or not other.is_alive():
            self.lock.training = self
        elif other.is_this_thread() and self.within_another:
            pass
        else:
            other.refuse(self.call)

    def __exit__(self, *error):
        if self.lock.training is self:
            self.lock.training = None


cdef class Turn(Holder):
    """A context with exclusive access to the weights, between two steps. Waiting calls get it in order."""

    def __enter__(self):
        self.begin()

    def __exit__(self, *error):
        self.end()

    cdef int begin(self) except -1:
        cdef WeightsLock lock = self.lock
        cdef Holder first
        if self.sets_weights and lock.training is not None and lock.training.is_alive():
            if not lock.training.is_this_thread():
                lock.training.refuse(self.call)
        first = lock.queue[0] if lock.queue else None
        if first is not None and not first.is_alive():
            lock.queue.clear()
        elif first is not None and first.is_this_thread():
            return 0                            # a Python method, in the middle of a step
        lock.queue.append(self)
        try:
            while lock.queue[0] is not self:    # polls, so that Ctrl-C is noticed
                with nogil:
                    usleep(POLL_MICROSECONDS)
                PyErr_CheckSignals()
        except BaseException:
            lock.queue.remove(self)
            raise
        return 0

    cdef int end(self) except -1:
        if self.lock.queue and self.lock.queue[0] is self:
            del self.lock.queue[0]
        return 0


cdef class WeightsLock:
    """The lock of one network."""

    def __cinit__(self):
        self.queue = []

    def __reduce__(self):
        return WeightsLock, ()  # a copy of a network gets a new lock

    def training_by(self, str call, bint within_another=False):
        """A context in which one call trains.

        Parameters
        ----------
        call : str
            The name of the call, for messages.
        within_another : bool
            Whether a callback may make this call during another one.

        Returns
        -------
        Training
            Entering it raises a BusyError if another call trains.
        """
        cdef Training training = Training(self, call)
        training.within_another = within_another
        return training

    cpdef Turn turn(self):
        """A context in which no other thread changes the weights.

        Returns
        -------
        Turn
            Entering it waits for earlier turns.
        """
        return Turn(self, "read")

    def turn_to_set(self, str call):
        """As `turn`, for a call that sets weights.

        Parameters
        ----------
        call : str
            The name of the call, for messages.

        Returns
        -------
        Turn
            Entering it raises a BusyError if another thread trains.
        """
        cdef Turn turn = Turn(self, call)
        turn.sets_weights = True
        return turn
