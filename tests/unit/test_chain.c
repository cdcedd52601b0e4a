/* The records of lanes, as others look at them: where a return address is that a stack has at a slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/records/chain.h"
#include "preload/records/lanes.h"
#include "preload/records/trampolines.h"

enum {
    LANES = 3,
};

/* As they are made: the second one was taken, and is not filled in yet. */
static struct lane table[LANES];
static struct record records[3];
static const void *slots[2]; /* of a stack */

static void record_make(struct record *record, const void **slot, const void *return_address, struct record *outer)
{
    *record = (struct record){
        .return_address = (void *)(uintptr_t)return_address,
        .sp = (uintptr_t)slot - RECORD_SLOT_ABOVE_SP,
        .outer = outer,
    };
}

/* The thread itself has no lane; the third one has a call, and another that ended in a tail call. */
static int setup(void **state)
{
    static const struct lane_config config;

    (void)state;
    table[0].current = &lane_bottom;
    record_make(&records[0], &slots[0], setup, &lane_bottom);
    record_make(&records[1], &slots[0], hot_exit_tsc, &records[0]);
    record_make(&records[2], &slots[1], &table, &records[1]);
    table[2].current = &records[2];
    lanes_publish(table, &config);
    lanes_used = LANES;
    slots[0] = hot_exit_tail_tsc;
    slots[1] = hot_exit_clock;
    return 0;
}

static void test_slot_itself(void **state)
{
    static const void *other = &table;

    (void)state;
    assert_int_equal((uintptr_t)&other, chain_return_place((uintptr_t)&other));
}

static void test_another_lanes_record(void **state)
{
    (void)state;
    assert_int_equal((uintptr_t)&records[2].return_address, chain_return_place((uintptr_t)&slots[1]));
}

static void test_outermost_of_tail_calls(void **state)
{
    (void)state;
    assert_int_equal((uintptr_t)&records[0].return_address, chain_return_place((uintptr_t)&slots[0]));
}

/* It may stay like this for ever, in a child that was forked meanwhile. */
static void test_lane_not_filled_in(void **state)
{
    static const void *slot = hot_exit_tsc;

    (void)state;
    assert_int_equal((uintptr_t)&slot, chain_return_place((uintptr_t)&slot));
}

static void test_what_is_an_exit(void **state)
{
    (void)state;
    assert_true(chain_is_exit(hot_exit_untimed));
    assert_true(chain_is_exit(hot_exit_tail_late_clock));
    assert_false(chain_is_exit(hot_exit_untimed + 1));
    assert_false(chain_is_exit(hot_entry_tsc));
    assert_false(chain_is_exit(hot_linking_tail_tsc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_slot_itself, setup),
        cmocka_unit_test_setup(test_another_lanes_record, setup),
        cmocka_unit_test_setup(test_outermost_of_tail_calls, setup),
        cmocka_unit_test_setup(test_lane_not_filled_in, setup),
        cmocka_unit_test_setup(test_what_is_an_exit, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
