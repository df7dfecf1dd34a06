# A team of threads that runs numbered pieces of work, and a parallel loop over them.
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    MAX_THREADS = 256  # of a team

ctypedef void (*Task)(void *context, int64_t piece, int thread) noexcept nogil

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass


# A thread and its share of the job. Padded to a cache line, so that no two workers share one.
ctypedef struct Worker:
    int64_t pieces          # those left in its share: first << 32 | end; changed by atomic operations only
    void *team
    int64_t thread
    pthread_t handle
    int64_t[4] padding


ctypedef struct TeamState:
    int n_threads           # the calling thread included
    int64_t job             # the number of the current job
    int64_t finished        # pieces done of this job
    int64_t sleepers
    int64_t stopping
    Task task
    void *context
    pthread_mutex_t mutex
    pthread_cond_t work_arrived
    Worker *workers


cdef class Team:
    cdef TeamState state
    cdef int n_started
    cdef int process
    cdef void begin(self) noexcept
    cdef void run(self, Task task, void *context, int64_t n_pieces) noexcept nogil


cdef Team take_team(int n_threads)
cdef give_back(Team team)
