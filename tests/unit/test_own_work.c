/* Work of callmeter's own on one of the program's threads: at no instruction can a handler come in while the thread is
 * on callmeter's lane. The test steps through one instruction at a time; SIGTRAP is one of those that are never
 * blocked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/own_mask.h"
#include "preload/records/counters.h"
#include "preload/records/own_work.h"
#include "server/segment/segment.h"

static struct segment_header segment;
static struct own_work work;
static bool is_stepping;
static unsigned steps;
static unsigned steps_ours;  /* on callmeter's lane */
static unsigned steps_wrong; /* of those, with signals let in */

/* The mask that the interrupted code has. */
static void step(int number, siginfo_t *info, void *frame)
{
    ucontext_t *context = frame;
    const uint64_t *mask = (const uint64_t *)&context->uc_sigmask;
    bool is_ours = hot_thread.lane == &lane_ours || hot_thread.seats != lane_none.seats;

    (void)number;
    (void)info;
    steps++;
    steps_ours += is_ours;
    steps_wrong += is_ours && !(*mask & SIGNAL_BIT(SIGALRM));
    if (is_stepping)
        context->uc_mcontext.gregs[REG_EFL] |= 0x100;
    else
        context->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
}

static void catch_steps(void)
{
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};

    sigaction(SIGTRAP, &action, NULL);
}

static void steps_begin(void)
{
    steps = steps_ours = steps_wrong = 0;
    is_stepping = true;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

/* The trap behind the store finds it. */
static void steps_end(void)
{
    is_stepping = false;
    __asm__ volatile("nop; nop" ::: "memory");
}

static int setup(void **state)
{
    (void)state;
    counters_init(&segment, (char *)&errno - (char *)__builtin_thread_pointer());
    catch_steps();
    return 0;
}

static uint64_t mask_now(void)
{
    uint64_t mask = 0;

    own_mask_change(SIG_BLOCK, NULL, &mask);
    return mask;
}

static void test_no_handler_on_our_lane(void **state)
{
    uint64_t before = mask_now();

    (void)state;
    steps_begin();
    own_work_begin(&work);
    own_work_end(&work);
    steps_end();
    assert_true(steps > 20);
    assert_true(steps_ours > 2);
    assert_int_equal(0, steps_wrong);
    assert_ptr_equal(&lane_none, hot_thread.lane);
    assert_int_equal(before, mask_now());
}

static void test_errno_and_mask_are_left_as_found(void **state)
{
    struct own_work inner;
    uint64_t blocked = SIGNAL_BIT(SIGUSR1);
    uint64_t before;

    (void)state;
    own_mask_change(SIG_BLOCK, &blocked, &before);
    errno = EXDEV;
    own_work_begin(&work);
    errno = ENOENT;
    own_work_begin(&inner);
    errno = EBADF;
    own_work_end(&inner);
    assert_int_equal(ENOENT, errno);
    assert_ptr_equal(&lane_ours, hot_thread.lane);
    assert_true(mask_now() & SIGNAL_BIT(SIGALRM));
    assert_false(mask_now() & SIGNAL_BIT(SIGSYS));
    own_work_end(&work);
    assert_int_equal(EXDEV, errno);
    assert_int_equal(before | blocked, mask_now());
    own_mask_restore(&before);
}

/* The filter would end the program. */
static void test_a_forbidden_system_call_is_not_made(void **state)
{
    (void)state;
    forbidden_by[SYS_rt_sigprocmask] = 1;
    own_work_begin(&work);
    assert_false(mask_now() & SIGNAL_BIT(SIGALRM));
    assert_ptr_equal(&lane_ours, hot_thread.lane);
    own_work_end(&work);
    forbidden_by[SYS_rt_sigprocmask] = 0;
    assert_ptr_equal(&lane_none, hot_thread.lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_handler_on_our_lane),
        cmocka_unit_test(test_errno_and_mask_are_left_as_found),
        cmocka_unit_test(test_a_forbidden_system_call_is_not_made),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
