"""The threads of the engine, which run without the GIL. Unlike OpenMP's, they survive a fork.

A job consists of pieces, and each thread has a share of them. The shares are the same for all jobs with the same number
of pieces, so a thread finds its data in its cache again in the next step. A thread takes the pieces of its own share
one at a time, from the first on. When none is left, it takes those of the other threads, from the last on. So a thread
that starts late, or not at all, delays only the piece that it has taken. The result of a piece does not depend on the
thread that runs it.

The pieces of a share that are left are one word: the first piece and the end. A thread takes a piece by changing this
word atomically, and only then reads the job. The job cannot be replaced before that piece is done, so it does no harm
if the word has the same value as in an earlier job.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #if defined(__x86_64__)
    #define cynn_pause() __builtin_ia32_pause()
    #else
    #define cynn_pause() ((void)0)
    #endif
    static int64_t cynn_load(int64_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
    static void cynn_store(int64_t *p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
    static int64_t cynn_add(int64_t *p, int64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST); }
    static int cynn_exchange_if(int64_t *p, int64_t expected, int64_t v) {
        return __atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    static int cynn_start_thread(pthread_t *handle, void *(*run)(void *), void *argument) {
        /* signals are delivered to the threads of the user only */
        sigset_t all, before;
        int failed;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(handle, NULL, run, argument);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return failed;
    }
    """
    void cynn_pause() nogil
    int64_t cynn_load(int64_t *) nogil
    void cynn_store(int64_t *, int64_t) nogil
    int64_t cynn_add(int64_t *, int64_t) nogil
    bint cynn_exchange_if(int64_t *, int64_t, int64_t) nogil
    int cynn_start_thread(pthread_t *, void *(*)(void *) noexcept nogil, void *) nogil

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **, size_t alignment, size_t size)

cdef extern from "<unistd.h>" nogil:
    int getpid()

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "<pthread.h>" nogil:
    int pthread_join(pthread_t, void **)
    int pthread_mutex_init(pthread_mutex_t *, void *)
    int pthread_mutex_destroy(pthread_mutex_t *)
    int pthread_mutex_lock(pthread_mutex_t *)
    int pthread_mutex_unlock(pthread_mutex_t *)
    int pthread_cond_init(pthread_cond_t *, void *)
    int pthread_cond_destroy(pthread_cond_t *)
    int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *)
    int pthread_cond_broadcast(pthread_cond_t *)

cdef enum:
    # How long a thread spins before it sleeps: longer than the serial part of a step, and about as long as it takes to
    # wake up.
    SPINS_BEFORE_SLEEP = 4000
    SPINS_BEFORE_YIELD = 20000

cdef int64_t END = 0xFFFFFFFF  # the lower half of the word is the end of the share, the upper half its first piece


cdef inline int64_t take_from(Worker *worker, bint own) noexcept nogil:
    """Take a piece of this worker's share; -1 if none is left."""
    cdef int64_t pieces = cynn_load(&worker.pieces)
    while pieces >> 32 < pieces & END:
        if cynn_exchange_if(&worker.pieces, pieces, pieces + (<int64_t>1 << 32) if own else pieces - 1):
            return pieces >> 32 if own else (pieces & END) - 1
        pieces = cynn_load(&worker.pieces)
    return -1


cdef bint run_pieces(TeamState *team, int thread) noexcept nogil:
    """Run pieces until none is left. Returns whether there was one."""
    cdef int64_t piece, done = 0
    cdef int i
    for i in range(team.n_threads):
        while True:
            piece = take_from(&team.workers[(thread + i) % team.n_threads], i == 0)
            if piece < 0:
                break
            team.task(team.context, piece, thread)
            done += 1
    if done:
        cynn_add(&team.finished, done)
    return done > 0


cdef void *work(void *argument) noexcept nogil:
    cdef Worker *worker = <Worker *>argument
    cdef TeamState *team = <TeamState *>worker.team
    cdef int64_t spins = 0, job
    while True:
        job = cynn_load(&team.job)
        if run_pieces(team, worker.thread):
            spins = 0
        while job == cynn_load(&team.job) and not cynn_load(&team.stopping):
            if spins < SPINS_BEFORE_SLEEP:
                spins += 1
                cynn_pause()
                continue
            pthread_mutex_lock(&team.mutex)
            cynn_add(&team.sleepers, 1)
            while job == cynn_load(&team.job) and not cynn_load(&team.stopping):
                pthread_cond_wait(&team.work_arrived, &team.mutex)
            cynn_add(&team.sleepers, -1)
            pthread_mutex_unlock(&team.mutex)
            spins = 0
        if cynn_load(&team.stopping):
            return NULL


cdef class Team:
    """A team of `n_threads` threads, including the caller's. They end with the object."""

    def __cinit__(self, int n_threads):
        cdef int i
        cdef void *workers = NULL
        pthread_mutex_init(&self.state.mutex, NULL)
        pthread_cond_init(&self.state.work_arrived, NULL)
        self.state.n_threads = n_threads
        self.process = getpid()
        if posix_memalign(&workers, sizeof(Worker), n_threads * sizeof(Worker)):
            raise MemoryError
        memset(workers, 0, n_threads * sizeof(Worker))
        self.state.workers = <Worker *>workers
        for i in range(n_threads - 1):
            self.state.workers[i].team = &self.state
            self.state.workers[i].thread = i + 1
            if cynn_start_thread(&self.state.workers[i].handle, work, &self.state.workers[i]):
                break  # the system has no more threads: use fewer
            self.n_started += 1

    def __dealloc__(self):
        cdef int i
        if self.process != getpid():
            return  # a forked child does not have these threads, and their mutex may stay locked
        with nogil:
            cynn_store(&self.state.stopping, 1)
            wake_sleepers(&self.state)
            for i in range(self.n_started):
                pthread_join(self.state.workers[i].handle, NULL)
        free(self.state.workers)
        pthread_cond_destroy(&self.state.work_arrived)
        pthread_mutex_destroy(&self.state.mutex)

    cdef void begin(self) noexcept:
        """Call this before a series of jobs. In a forked child, the calling thread works alone."""
        if self.process != getpid():
            self.n_started = 0

    cdef void run(self, Task task, void *context, int64_t n_pieces) noexcept nogil:
        """Call task(context, piece, thread) for every piece in 0 .. n_pieces-1. Returns when all are done."""
        cdef TeamState *team = &self.state
        cdef int64_t piece, spins = 0
        cdef int i
        if self.n_started == 0 or n_pieces <= 1:
            for piece in range(n_pieces):
                task(context, piece, 0)
            return
        team.task = task
        team.context = context
        cynn_store(&team.finished, 0)
        for i in range(team.n_threads):
            cynn_store(
                &team.workers[i].pieces,
                n_pieces * i // team.n_threads << 32 | n_pieces * (i + 1) // team.n_threads
            )
        cynn_add(&team.job, 1)
        wake_sleepers(team)
        run_pieces(team, 0)
        while cynn_load(&team.finished) != n_pieces:
            spins += 1
            if spins < SPINS_BEFORE_YIELD:
                cynn_pause()
            else:
                sched_yield()  # another thread may need this core for its last piece


cdef list idle_teams = []


cdef Team take_team(int n_threads):
    """Take a team from the pool, or start one. Give it back afterwards: to start threads takes longer than many jobs.

    Teams with other numbers of threads are ended, so that they do not accumulate.
    """
    cdef Team team
    # pop is atomic under the GIL
    while n_threads > 1 and idle_teams:
        team = idle_teams.pop()
        if team.state.n_threads == n_threads and team.process == getpid():
            return team  # not a team from before a fork, which has lost its threads
    return Team(n_threads)


cdef give_back(Team team):
    if team.state.n_threads > 1:
        idle_teams.append(team)


cdef void wake_sleepers(TeamState *team) noexcept nogil:
    # A thread first counts itself as asleep, then checks the number of the job. The caller first raises that number,
    # then checks the sleepers here. So at least one of the two notices the other.
    if cynn_load(&team.sleepers) or cynn_load(&team.stopping):
        pthread_mutex_lock(&team.mutex)
        pthread_cond_broadcast(&team.work_arrived)
        pthread_mutex_unlock(&team.mutex)
