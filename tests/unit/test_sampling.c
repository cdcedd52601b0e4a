/* Which calls are timed, and what those stand for, against the same generator and the logarithm of the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "preload/calls/sampling.h"
#include "preload/records/lane.h"

enum {
    SKIP = 64, /* words in the block */
    WEIGHT = 72,
    SKIPPED = 80,
    DRAWS = 20000,
};

#define ONE ((uint64_t)1 << 32)

static uint64_t block[32];
static uint8_t *block_address = (uint8_t *)block;
static struct lane lane;
static struct segment_sampling sampling;
static struct hook timed, weighed, untimed;
static struct extra extra;
static uint64_t reference; /* the generator's state */

static int setup(void **state)
{
    (void)state;
    memset(block, 0, sizeof(block));
    lane = (struct lane){.block_ref = &block_address, .random = 7777};
    reference = lane.random;
    hot_thread.lane = &lane;
    extra = (struct extra){.sampling = &sampling, .skip = SKIP, .weight = WEIGHT};
    extra.roles[EXTRA_TIMED].base = &timed;
    extra.roles[EXTRA_WEIGHED].base = &weighed;
    extra.roles[EXTRA_UNTIMED].base = &untimed;
    weighed.extra = &extra;
    sampling_init();
    return 0;
}

static int64_t *skip_word(void)
{
    return (int64_t *)&block[SKIP / 8];
}

/* xorshift64*. */
static uint64_t next(void)
{
    reference ^= reference >> 12;
    reference ^= reference << 25;
    reference ^= reference >> 27;
    return reference * UINT64_C(0x2545F4914F6CDD1D);
}

/* -log2 of the random number as a share of all, times the scale. */
static void check_skip(int64_t found, uint64_t random)
{
    long double exact =
        (64 - log2l((long double)(random | (random == 0)))) * (long double)sampling.scale / 4294967296.0L;
    long double allowed = (long double)sampling.scale / 4294967296.0L * 5e-5L + 1e-3L;

    if ((long double)found > exact + allowed || (long double)found < floorl(exact - allowed))
        fail_msg("random %lx: expected %Lf, found %ld", random, exact, found);
}

static void check_decision(struct sampling_decision decision, const struct hook *hook, uint64_t how)
{
    assert_int_equal(decision.how, how);
    assert_ptr_equal(decision.hook, hook);
}

/* The stub has counted down: this call is timed, and the next one is drawn. */
static void a_call_whose_turn_it_is(void **state)
{
    static const uint64_t scales[] = {ONE, 3 * ONE / 2, 10 * ONE, 1000 * ONE, ONE << 20};

    (void)state;
    sampling.interval = 10 * ONE;
    for (size_t i = 0; i < sizeof(scales) / sizeof(*scales); i++) {
        sampling.scale = scales[i];
        for (int j = 0; j < DRAWS; j++) {
            *skip_word() = 0;
            check_decision(sampling_decide(&weighed), &weighed, SAMPLE_TIMED);
            check_skip(*skip_word() - 1, next());
            next();
            assert_int_equal(block[WEIGHT / 8], 10);
            assert_int_equal(block[SKIPPED / 8], 0);
        }
    }
}

static void a_call_before_anything_was_drawn(void **state)
{
    int timed_at_once = 0;

    (void)state;
    sampling.interval = 10 * ONE;
    sampling.scale = 2 * ONE;
    for (int i = 0; i < DRAWS; i++) {
        struct sampling_decision decision;
        uint64_t random = next();

        *skip_word() = i % 2 ? -1 : -1000;
        decision = sampling_decide(&weighed);
        if (decision.how == SAMPLE_UNTIMED) {
            check_decision(decision, &untimed, SAMPLE_UNTIMED);
            assert_true(*skip_word() > 0);
            check_skip(*skip_word(), random);
        } else {
            check_decision(decision, &weighed, SAMPLE_TIMED);
            check_skip(0, random);
            check_skip(*skip_word() - 1, next());
            next();
            timed_at_once++;
        }
    }
    /* The share of draws that are 0: 1 - 2^(-1/2). */
    assert_in_range(timed_at_once, DRAWS * 28 / 100, DRAWS * 31 / 100);
}

/* Those that need not be looked at are counted at once. */
static void a_call_that_is_left_out(void **state)
{
    (void)state;
    extra.skipped = SKIPPED;
    sampling.interval = 1000 * ONE;
    sampling.scale = 1000 * ONE;
    for (unsigned i = 1; i <= 20; i++) {
        *skip_word() = -1;
        check_decision(sampling_decide(&weighed), &timed, SAMPLE_OUT);
        check_skip(*skip_word(), next());
        assert_int_equal(block[SKIPPED / 8], i);
        assert_int_equal(block[WEIGHT / 8], 0);
    }
}

static void all_calls_are_timed_at_an_interval_of_one(void **state)
{
    (void)state;
    for (sampling.interval = ONE - 1; sampling.interval <= ONE; sampling.interval++) {
        *skip_word() = 0;
        check_decision(sampling_decide(&weighed), &timed, SAMPLE_TIMED);
        assert_int_equal(*skip_word(), -1);
        assert_int_equal(block[WEIGHT / 8], 0);
    }
}

static void a_thread_without_a_block_times_its_calls(void **state)
{
    (void)state;
    sampling.interval = 10 * ONE;
    hot_thread.lane = &lane_ours;
    check_decision(sampling_decide(&weighed), &timed, SAMPLE_TIMED);
    hot_thread.lane = &lane_shared;
    check_decision(sampling_decide(&weighed), &timed, SAMPLE_TIMED);
    assert_int_equal(block[SKIP / 8], 0);
}

/* A fraction is the share of calls that stand for one more. */
static void weights_are_the_interval_on_average(void **state)
{
    uint64_t sum = 0;

    (void)state;
    sampling.interval = 7 * ONE + ONE / 4;
    sampling.scale = ONE;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t random;

        *skip_word() = 0;
        sampling_decide(&weighed);
        next();
        random = next();
        assert_int_equal(block[WEIGHT / 8], 7 + ((uint32_t)random < (uint32_t)sampling.interval));
        sum += block[WEIGHT / 8];
    }
    assert_in_range(sum, DRAWS * 724UL / 100, DRAWS * 726UL / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_whose_turn_it_is, setup),
        cmocka_unit_test_setup(a_call_before_anything_was_drawn, setup),
        cmocka_unit_test_setup(a_call_that_is_left_out, setup),
        cmocka_unit_test_setup(all_calls_are_timed_at_an_interval_of_one, setup),
        cmocka_unit_test_setup(a_thread_without_a_block_times_its_calls, setup),
        cmocka_unit_test_setup(weights_are_the_interval_on_average, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
