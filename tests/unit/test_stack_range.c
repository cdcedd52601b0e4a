/* Where stacks are, against what the C library knows and what was mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/stack_range.h"
#include "preload/records/lane.h"
#include "preload/records/lanes.h"

enum {
    PAGE = 4096,
    STACK_BYTES = 16 * PAGE,
};

static void assert_range(struct stack_range range, const char *low, const char *high)
{
    if (range.low != (uintptr_t)low || range.high != (uintptr_t)high)
        fail_msg("expected %p to %p, found %#lx to %#lx", low, high, range.low, range.high);
}

/* Pages of other rights on both sides: what is alike and adjacent would be one mapping. */
static char *map_between(size_t bytes)
{
    char *low = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(low != MAP_FAILED && mprotect(low + PAGE, bytes, PROT_READ | PROT_WRITE) == 0);
    return low + PAGE;
}

static void the_mapping_of_an_address(void **state)
{
    char *area = map_between(3 * PAGE);

    (void)state;
    assert_range(stack_range_of((uintptr_t)area), area, area + 3 * PAGE);
    assert_range(stack_range_of((uintptr_t)area + 3 * PAGE - 1), area, area + 3 * PAGE);
    assert_range(stack_range_of((uintptr_t)area - 1), area - PAGE, area);
    assert_range(stack_range_of((uintptr_t)area + 3 * PAGE), area + 3 * PAGE, area + 4 * PAGE);
    munmap(area, PAGE);
    assert_range(stack_range_of((uintptr_t)area), NULL, NULL);
    assert_range(stack_range_of((uintptr_t)area + PAGE), area + PAGE, area + 3 * PAGE);
    assert_range(stack_range_of(0), NULL, NULL);
    assert_range(stack_range_of(UINTPTR_MAX), NULL, NULL);
}

/* Down to the mapping below it, wherever it has grown to. */
static void the_stack_that_grows(void **state)
{
    struct stack_range range = stack_range_of((uintptr_t)&range);
    pthread_attr_t attributes;
    struct rlimit limit;
    void *low;
    size_t bytes;

    (void)state;
    assert_int_equal(0, getrlimit(RLIMIT_STACK, &limit));
    assert_int_equal(0, pthread_getattr_np(pthread_self(), &attributes));
    assert_int_equal(0, pthread_attr_getstack(&attributes, &low, &bytes));
    pthread_attr_destroy(&attributes);
    assert_true(range.high >= (uintptr_t)low + bytes);
    assert_true(range.low <= (uintptr_t)&range - (1 << 20)); /* where it has never been */
    assert_int_equal(range.low, stack_range_of(range.low - 1).high);
    if (limit.rlim_cur != RLIM_INFINITY)
        assert_true(range.low <= (uintptr_t)low + PAGE);
}

static volatile uintptr_t within_low;
static volatile uintptr_t within_high;
static stack_t alternate;

static void look(int signal)
{
    struct stack_range range = stack_alternate();

    (void)signal;
    within_low = range.low;
    within_high = range.high;
}

static struct stack_range within(void)
{
    return (struct stack_range){within_low, within_high};
}

static void the_alternate_stack_that_is_in_use(void **state)
{
    struct sigaction action = {.sa_handler = look, .sa_flags = SA_ONSTACK};
    char *area = map_between(STACK_BYTES);

    (void)state;
    alternate = (stack_t){.ss_sp = area, .ss_size = STACK_BYTES};
    assert_range(stack_alternate(), NULL, NULL);
    assert_int_equal(0, sigaltstack(&alternate, NULL));
    assert_range(stack_alternate(), NULL, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    assert_range(within(), area, area + STACK_BYTES);
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    assert_range(within(), NULL, NULL);
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, NULL);
}

/* A thread's own: asked once, up to its thread pointer, which is what lies above a stack that libc has made. */
static void a_threads_own_stack(void **state)
{
    static const struct lane_config config = {.main_thread_pointer = 5};
    char *area = map_between(STACK_BYTES);
    struct lane lane = {.thread_pointer = (uintptr_t)area + STACK_BYTES - PAGE};

    (void)state;
    lanes_publish(&lane, &config);
    assert_range(lane_stack(&lane), area, area + STACK_BYTES - PAGE);
    munmap(area, STACK_BYTES);
    assert_range(lane_stack(&lane), area, area + STACK_BYTES - PAGE);
    lane.stack_low = lane.stack_high = 0;
    assert_range(lane_stack(&lane), NULL, NULL);
    assert_true(lane.stack_low == 1 && lane.stack_high == 1); /* and is not asked for again */
    assert_range(lane_stack(&lane), NULL, NULL);
}

static void the_first_threads_stack(void **state)
{
    static struct lane_config config;
    char *area = map_between(STACK_BYTES);
    struct lane lane = {.thread_pointer = 5};

    (void)state;
    config = (struct lane_config){.main_thread_pointer = 5, .main_stack = (uintptr_t)area + PAGE};
    lanes_publish(&lane, &config);
    assert_range(lane_stack(&lane), area, area + STACK_BYTES);
}

/* Nobody looks who must not. */
static void a_filter_that_forbids_to_look(void **state)
{
    int here;

    (void)state;
    assert_true(stack_range_of((uintptr_t)&here).high != 0);
    forbidden_by[SYS_openat] = 1;
    assert_range(stack_range_of((uintptr_t)&here), NULL, NULL);
    forbidden_by[SYS_openat] = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mapping_of_an_address),
        cmocka_unit_test(the_stack_that_grows),
        cmocka_unit_test(the_alternate_stack_that_is_in_use),
        cmocka_unit_test(a_threads_own_stack),
        cmocka_unit_test(the_first_threads_stack),
        cmocka_unit_test(a_filter_that_forbids_to_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
