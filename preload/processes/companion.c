#include "preload/processes/companion.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/log.h"
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
static atomic_bool is_owed; /* companion_process is to have a thread, when it can be made */

void companion_init(const struct companion_calls *given)
{
    interrupted_init();
    libc_threads_init();
    calls = *given;
    atomic_store(&is_running, true);
    atomic_store(&companion_process, cpu_own_pid());
}

/* Of the program's own calls, in the process that has the thread. */
static bool is_ours(void)
{
    return calls.start && hot_thread.lane != &lane_ours && !forbidden_is(SYS_getpid) &&
           atomic_load(&companion_process) == cpu_own_pid();
}

/* Under a filter that lets a thread serve, this fails at worst. The number is that of errno.h: whoever has its text at
 * hand (strerrordesc_np) is younger than the libc that the preload object may find (old_libc.h). */
static void tell(int error)
{
    static atomic_bool is_told;

    if (!atomic_exchange(&is_told, true) && forbidden_lets_report())
        log_line(LOG_LEVEL_WARN, "no thread can be made for the endpoint in this process: error %d%s", -error,
                 error == -EAGAIN ? " (Resource temporarily unavailable)" : "");
}

static void start(void)
{
    struct own_work work;
    int error;

    if (atomic_exchange(&companion_process, cpu_own_pid()) != cpu_own_pid())
        atomic_store(&is_running, false);
    atomic_store(&is_owed, false);
    if (!forbidden_lets_serve())
        return;
    own_work_begin(&work);
    error = calls.start();
    atomic_store(&is_running, error == 0 || error == -EBUSY);
    atomic_store(&is_owed, error == -EBUSY);
    if (error && error != -EBUSY)
        tell(error);
    own_work_end(&work);
}

static void start_or_owe(bool is_sound)
{
    if (is_sound) {
        start();
        return;
    }
    atomic_store(&is_running, false);
    atomic_store(&is_owed, true);
    atomic_store(&companion_process, cpu_own_pid());
}

bool companion_is_wanted(void)
{
    return calls.start != NULL;
}

/* Where the program could do nothing with its own threads, it is not helped either. To stop the thread is right
 * wherever we are; how, is not. */
void companion_step_aside(bool whatever_threads)
{
    struct own_work work;
    bool is_tidy;

    if (!is_ours() || !atomic_load(&is_running) || !(whatever_threads || libc_threads_is_one()))
        return;
    is_tidy = interrupted_ask() == INTERRUPTED_NO;
    own_work_begin(&work);
    atomic_store(&is_running, !calls.stop(is_tidy));
    atomic_store(&is_owed, true);
    own_work_end(&work);
}

void companion_repeat(long number, const long *arguments)
{
    struct own_work work;
    bool is_done;

    if (!is_ours() || !atomic_load(&is_running) || !libc_threads_is_one())
        return;
    own_work_begin(&work);
    is_done = calls.repeat(number, arguments);
    own_work_end(&work);
    if (!is_done)
        companion_step_aside(false);
}

/* By itself, for it was not like the program's any more. */
static void notice_end(void)
{
    if (calls.start && calls.has_left() && atomic_exchange(&is_running, false))
        atomic_store(&is_owed, true);
}

/* Of several threads one makes it. */
void companion_settle(void)
{
    bool was_owed = true;

    notice_end();
    if (!atomic_load(&is_owed) || !forbidden_lets_serve() || !is_ours() || interrupted_ask() != INTERRUPTED_NO)
        return;
    if (atomic_compare_exchange_strong(&is_owed, &was_owed, false))
        start();
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
 * libc is told that there is one. That is right outside of a handler, too, while the companion is held: nobody else
 * takes locks. So it is told where we cannot know. */
void companion_fork_begin(struct companion_forking *ret_forking)
{
    bool is_single = is_ours() && libc_threads_is_one();
    bool is_sound = is_single && interrupted_ask() == INTERRUPTED_NO;

    notice_end();
    if (is_sound && atomic_load(&is_owed))
        start();
    ret_forking->is_single = is_single;
    ret_forking->is_sound = is_sound;
    ret_forking->is_held = is_ours() && atomic_load(&is_running) && hold(is_single && !is_sound);
    ret_forking->believed = ret_forking->is_held && is_single && !is_sound ? libc_threads_believe_one() : -1;
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
    if (forking->is_single && !is_ours())
        start_or_owe(forking->is_sound);
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

/* A child that had no chance of a companion so far, or a process that is owed one. Of several threads one makes it. */
void companion_follow(void)
{
    int known = atomic_load(&companion_process);
    bool was_owed = true;

    if (!calls.start || !forbidden_lets_serve() || lane_is_borrowed())
        return;
    notice_end();
    if (known == cpu_own_pid() ? atomic_compare_exchange_strong(&is_owed, &was_owed, false)
                               : atomic_compare_exchange_strong(&companion_process, &known, cpu_own_pid()))
        start();
}
