#include "server/http/repeats.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/http/wake.h"

enum {
    ASKED = 1, /* by the program's thread, */
    SIGNALLED, /* which has sent its signal: it is there now */
    TAKEN,     /* by the server thread */
    DONE,
    FAILED,
    WAIT_NS = 100000000,
    SIGNAL_BYTES = 8, /* of the kernel's set */
};

static long futex(struct repeats *repeats, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, &repeats->state, operation, value, timeout, NULL, 0);
}

void repeats_init(struct repeats *repeats)
{
    atomic_store(&repeats->state, REPEATS_IDLE);
}

/* What became of it. Once the server thread has taken it, it does not take long. */
static uint32_t wait_for_end(struct repeats *repeats)
{
    const struct timespec span = {.tv_nsec = WAIT_NS};
    uint32_t state = atomic_load(&repeats->state);

    while (state == SIGNALLED || state == TAKEN) {
        bool is_late = futex(repeats, FUTEX_WAIT_PRIVATE, state, &span) != 0 && errno == ETIMEDOUT;

        state = SIGNALLED;
        if (is_late && atomic_compare_exchange_strong(&repeats->state, &state, REPEATS_IDLE))
            return REPEATS_IDLE;
        state = atomic_load(&repeats->state);
    }
    return state;
}

bool repeats_ask(struct repeats *repeats, int thread_id, long number, const long *arguments)
{
    uint32_t state;

    if (thread_id == 0)
        return false;
    repeats->number = number;
    for (int i = 0; i < REPEATS_ARGUMENTS; i++)
        repeats->arguments[i] = arguments[i];
    atomic_store(&repeats->state, ASKED);
    syscall(SYS_tgkill, getpid(), thread_id, WAKE_SIGNAL);
    atomic_store(&repeats->state, SIGNALLED);
    futex(repeats, FUTEX_WAKE_PRIVATE, 1, NULL);
    state = wait_for_end(repeats);
    atomic_store(&repeats->state, REPEATS_IDLE);
    return state == DONE;
}

/* The signal that was sent with it waits for this thread, and is taken before any that waits for all threads. */
static void take_signal(void)
{
    static const struct timespec at_once = {0};
    const uint64_t wake = UINT64_C(1) << (WAKE_SIGNAL - 1);
    siginfo_t info;

    if (syscall(SYS_rt_sigtimedwait, &wake, &info, &at_once, SIGNAL_BYTES) != WAKE_SIGNAL)
        return;
    if (info.si_code != SI_TKILL || info.si_pid != getpid())
        syscall(SYS_rt_sigqueueinfo, getpid(), WAKE_SIGNAL, &info); /* it was the program's */
}

bool repeats_obey(struct repeats *repeats)
{
    const long *arguments = repeats->arguments;
    uint32_t state = atomic_load(&repeats->state);
    long result;

    while (state == ASKED) {
        sched_yield();
        state = atomic_load(&repeats->state);
    }
    if (state != SIGNALLED || !atomic_compare_exchange_strong(&repeats->state, &state, TAKEN))
        return false;
    result = syscall(repeats->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
    take_signal();
    atomic_store(&repeats->state, result == -1 ? FAILED : DONE);
    futex(repeats, FUTEX_WAKE_PRIVATE, 1, NULL);
    return true;
}
