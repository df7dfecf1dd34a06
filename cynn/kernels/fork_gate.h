/* Lets a fork wait until no other thread holds a lock of the BLAS library.
 *
 * OpenBLAS takes a lock at the beginning and at the end of each product. A child process has only the thread that
 * forked: if another thread holds that lock at the time of the fork, nobody ever releases it in the child, whose next
 * product waits for ever. So threads say when they are inside the library, and a fork waits until none is. Products that
 * begin meanwhile wait for the fork. */
#ifndef CYNN_FORK_GATE_H
#define CYNN_FORK_GATE_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

/* Threads beyond this number share counts. Each count has a cache line of its own. */
#define CYNN_FORK_COUNTS 64

static struct cynn_fork_count {
    int64_t threads_inside;
    char padding[56];
} __attribute__((aligned(64))) cynn_fork_counts[CYNN_FORK_COUNTS];
static int64_t cynn_is_forking, cynn_fork_threads;
static pthread_mutex_t cynn_fork_mutex = PTHREAD_MUTEX_INITIALIZER; /* one fork at a time */

static __thread struct cynn_fork_count *cynn_own_count; /* this thread's, from its first call on */
static __thread int64_t cynn_own_depth;                 /* calls of this thread that have not ended */

static void cynn_delay_forks(void)
{
    int64_t *inside;
    if (cynn_own_depth++)
        return; /* a fork waits for this thread already */
    if (!cynn_own_count) {
        int64_t thread = __atomic_fetch_add(&cynn_fork_threads, 1, __ATOMIC_RELAXED);
        cynn_own_count = &cynn_fork_counts[thread % CYNN_FORK_COUNTS];
    }
    inside = &cynn_own_count->threads_inside;
    /* A thread first counts itself, then looks for a fork. A fork first says that it is there, then looks at the counts.
     * So at least one of the two notices the other. */
    __atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&cynn_is_forking, __ATOMIC_SEQ_CST)) {
        __atomic_sub_fetch(inside, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&cynn_is_forking, __ATOMIC_SEQ_CST))
            sched_yield();
        __atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST);
    }
}

static void cynn_allow_forks(void)
{
    if (--cynn_own_depth == 0)
        __atomic_sub_fetch(&cynn_own_count->threads_inside, 1, __ATOMIC_SEQ_CST);
}

static void cynn_before_fork(void)
{
    pthread_mutex_lock(&cynn_fork_mutex);
    __atomic_store_n(&cynn_is_forking, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < CYNN_FORK_COUNTS; i++) {
        /* A handler of a signal may fork in the middle of a product of this thread, which it must not wait for. */
        int64_t own = cynn_own_depth > 0 && &cynn_fork_counts[i] == cynn_own_count;
        while (__atomic_load_n(&cynn_fork_counts[i].threads_inside, __ATOMIC_SEQ_CST) > own)
            sched_yield();
    }
}

static void cynn_after_fork(void)
{
    __atomic_store_n(&cynn_is_forking, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&cynn_fork_mutex);
}

static void cynn_guard_forks(void) { pthread_atfork(cynn_before_fork, cynn_after_fork, cynn_after_fork); }

#endif
