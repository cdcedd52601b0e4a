#include "preload/processes/companion.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/interrupted.h"
#include "preload/processes/libc_threads.h"
#include "preload/records/own_work.h"
#include "preload/signals/masks.h"
#include "preload/threads/attach.h"

enum {
    HOLD_TRY_NS = 100000,
    HOLD_TRIES = 1000,
};

static struct companion_calls calls;  /* all NULL: the process has no endpoint */
static _Atomic int companion_process; /* the one that had its chance of a thread; another one: a child which had none */
static atomic_bool is_running;

void companion_init(const struct companion_calls *given)
{
    interrupted_init();
    libc_threads_init();
    calls = *given;
    atomic_store(&is_running, true);
    atomic_store(&companion_process, cpu_own_pid());
}

static bool is_ours(void)
{
    return calls.start && atomic_load(&companion_process) == cpu_own_pid();
}

void companion_start(void)
{
    struct own_work work;

    atomic_store(&companion_process, cpu_own_pid());
    atomic_store(&is_running, false);
    if (forbidden_is_confined())
        return;
    own_work_begin(&work);
    atomic_store(&is_running, calls.start() == 0);
    own_work_end(&work);
}

bool companion_stop(void)
{
    struct own_work work;
    bool is_stopped;

    if (!is_ours() || !atomic_load(&is_running))
        return false;
    own_work_begin(&work);
    is_stopped = calls.stop();
    atomic_store(&is_running, !is_stopped);
    own_work_end(&work);
    return is_stopped;
}

bool companion_is_wanted(void)
{
    return calls.start != NULL;
}

/* Where the program could do nothing with its own threads, it is not helped either. */
bool companion_step_aside(void)
{
    return is_ours() && libc_threads_is_one() && !interrupted_maybe() && companion_stop();
}

void companion_come_back(bool is_aside)
{
    if (is_aside)
        companion_start();
}

/* Fork ------------------------------------------------------------------------------------------------------------- */

/* The companion works for milliseconds at a time, unless it waits for a lock itself. */
static bool hold(bool anyhow)
{
    const struct timespec while_at_work = {0, HOLD_TRY_NS};

    for (int i = 0; i < HOLD_TRIES; i++) {
        if (calls.hold(anyhow))
            return true;
        cpu_syscall(SYS_nanosleep, (long)&while_at_work, 0, 0, 0, 0, 0);
    }
    return false;
}

/* The companion is kept where it holds no lock: libc takes care of its own in the child, but an allocator of the
 * program's may not.
 *
 * With a companion, libc takes its locks when it forks, for the child's sake. A handler that forks may have interrupted
 * who holds one of them: bare, such a program goes on, for libc takes none where there is one thread. So in a handler
 * libc is told that there is one. */
void companion_fork_begin(struct companion_forking *ret_forking)
{
    bool is_single = is_ours() && libc_threads_is_one();
    bool is_in_handler = is_single && interrupted_maybe();

    ret_forking->is_sound = is_single && !is_in_handler;
    ret_forking->is_held = is_ours() && atomic_load(&is_running) && hold(is_in_handler);
    ret_forking->believed = ret_forking->is_held && is_in_handler ? libc_threads_believe_one() : -1;
}

void companion_fork_end(const struct companion_forking *forking)
{
    struct own_work work;

    libc_threads_believe(forking->believed);
    if (!forking->is_held)
        return;
    own_work_begin(&work);
    calls.let_go();
    own_work_end(&work);
}

/* In the child, where only this thread is left, unless a handler of pthread_atfork has made others: then ours is there
 * too. */
void companion_fork_child(const struct companion_forking *forking)
{
    if (forking->is_sound && !is_ours())
        companion_start();
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

/* A child that had no chance of a companion so far makes threads: so can we. */
void companion_follow(void)
{
    int known = atomic_load(&companion_process);

    if (!calls.start || known == cpu_own_pid() || lane_is_borrowed())
        return;
    if (atomic_compare_exchange_strong(&companion_process, &known, cpu_own_pid()))
        companion_start();
}
