#include "preload/panic/wait.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/own_lock.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

#define SECOND_NS    UINT64_C(1000000000)
#define REPORT_NS    SECOND_NS
#define WAIT_STEP_NS UINT64_C(1000000)

static _Atomic uint64_t until; /* monotonic ns: others wait until then */
static _Atomic bool has_lingered;
static const char timer_tag; /* its address tells our timer's signals */

static uint64_t now_ns(void)
{
    struct timespec now;

    cpu_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void panic_wait_timer_again(int timer)
{
    struct itimerspec at = {.it_value = {.tv_nsec = REPORT_NS / 2}};

    cpu_syscall(SYS_timer_settime, timer, 0, (long)&at, 0, 0, 0);
}

int panic_wait_timer(int signal)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
    int timer = -1;

    event.sigev_value.sival_ptr = (void *)(uintptr_t)&timer_tag;
    event._sigev_un._tid = cpu_own_tid();
    if (cpu_syscall(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&timer, 0, 0, 0) != 0)
        return -1;
    panic_wait_timer_again(timer);
    return timer;
}

void panic_wait_timer_stop(int timer)
{
    if (timer >= 0)
        cpu_syscall(SYS_timer_delete, timer, 0, 0, 0, 0, 0);
}

bool panic_wait_is_timers(const siginfo_t *info)
{
    return info->si_code == SI_TIMER && info->si_ptr == (void *)(uintptr_t)&timer_tag;
}

bool panic_wait_lock(void)
{
    uint64_t limit_ns = now_ns() + REPORT_NS;
    struct timespec step = {.tv_nsec = (long)WAIT_STEP_NS};

    for (;;) {
        uint64_t now = now_ns();

        if (own_lock_try(OWN_LOCK_REPORT))
            return true;
        if (now > limit_ns && now > atomic_load(&until))
            return false;
        cpu_syscall(SYS_nanosleep, (long)&step, 0, 0, 0, 0, 0);
    }
}

void panic_wait_unlock(void)
{
    own_lock_leave(OWN_LOCK_REPORT);
}

/* Those of the signals that end programs which are not ignored. */
static uint64_t signals_to_stop(void)
{
    static const uint8_t numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    uint64_t set = 0;

    for (size_t i = 0; i < sizeof(numbers); i++) {
        struct kernel_action action = {0};

        kernel_action_change(numbers[i], NULL, &action);
        if (action.handler != (uintptr_t)SIG_IGN)
            set |= SIGNAL_BIT(numbers[i]);
    }
    return set;
}

/* Whoever wants the program to end need not wait. */
void panic_wait_linger(unsigned seconds)
{
    uint64_t set = signals_to_stop();
    uint64_t until_ns;

    if (atomic_exchange(&has_lingered, true))
        return;
    until_ns = now_ns() + seconds * SECOND_NS;
    atomic_store(&until, until_ns + REPORT_NS);
    for (uint64_t now; (now = now_ns()) < until_ns;) {
        struct timespec left = {.tv_sec = (time_t)((until_ns - now) / SECOND_NS),
                                .tv_nsec = (long)((until_ns - now) % SECOND_NS)};

        if (cpu_syscall(SYS_rt_sigtimedwait, (long)&set, 0, (long)&left, SIGNAL_MASK_BYTES, 0, 0) != -EINTR)
            break;
    }
}
