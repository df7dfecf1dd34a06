# A team of threads that runs numbered pieces of work, and a parallel loop over them.
from libc.stdint cimport int64_t, uint64_t

ctypedef void (*Task)(void *context, int64_t piece, int thread) noexcept nogil

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass


ctypedef struct Worker:
    void *team
    int thread
    pthread_t handle


ctypedef struct TeamState:
    int n_threads           # the calling thread included
    int64_t ticket          # generation << 32 | pieces not yet taken: changes by atomic operations only
    int64_t finished        # pieces done of this job
    int64_t n_pieces
    int64_t sleepers
    int64_t stopping
    Task task
    void *context
    pthread_mutex_t mutex
    pthread_cond_t work_is_there
    Worker *workers


cdef class Team:
    cdef TeamState state
    cdef int n_started
    cdef int process
    cdef void begin(self) noexcept
    cdef void run(self, Task task, void *context, int64_t n_pieces) noexcept nogil
