/* Which bucket a duration is counted in: by the trampoline (entry.S, with a scripted clock), and by counters.c, both
 * against a linear search over the bounds as the manifest has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "planted.h"
#include "preload/records/counters.h"

enum {
    BOUNDS_MAX = 64,
};

struct bounds {
    const char *name;
    size_t count;
    double seconds[BOUNDS_MAX];
};

static const struct bounds tables[] = {
    {"of functions, operations and loops",
     16,
     {2.5e-07, 1e-06, 2.5e-06, 5e-06, 1e-05, 2.5e-05, 5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1, 1, 10}},
    {"of workers and batch jobs", 8, {0.01, 0.1, 1, 10, 60, 300, 1800, 7200}},
    {"of all others",
     16,
     {5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}},
    {"none", 0, {0}},
    {"one, of a tick", 1, {1e-09}},
    {"one, below a tick", 1, {1e-10}},
    {"one, as late as can be", 1, {1e+09}},
    {"beyond what ticks can tell", 2, {1, 1e+12}},
    {"in one power of two", 6, {1.025e-06, 1.03e-06, 1.1e-06, 1.5e-06, 2e-06, 2.04e-06}},
    {"tick by tick", 8, {1e-09, 2e-09, 3e-09, 4e-09, 5e-09, 6e-09, 7e-09, 8e-09}},
    {"powers of two", 6, {1.6e-08, 3.2e-08, 6.4e-08, 1.28e-07, 2.56e-07, 1.024e-06}},
    {"powers of two less one", 5, {1.5e-08, 3.1e-08, 6.3e-08, 1.27e-07, 2.55e-07}},
    {"powers of two and one", 5, {1.7e-08, 3.3e-08, 6.5e-08, 1.29e-07, 2.57e-07}},
    {"far apart", 3, {1e-09, 1, 100000}},
    {"all large", 4, {1000, 10000, 100000, 1000000}},
    {"of no round numbers", 5, {3.3333e-07, 1.41421e-06, 2.71828e-05, 0.000314159, 0.0123456}},
    {"two neighbours", 2, {0.001, 0.001000001}},
    {"of several in the same tick", 4, {1e-09, 1.2e-09, 1.4e-09, 2e-09}},
};

/* The first bound that is not below the duration, as Prometheus has it: `le`. */
static size_t expected_bucket(const struct bounds *bounds, uint64_t ticks, double seconds_per_tick)
{
    for (size_t i = 0; i < bounds->count; i++) {
        long double bound = (long double)bounds->seconds[i];
        long double lasted = (long double)ticks * (long double)seconds_per_tick;

        /* Equal, but for how a double has either. */
        if (lasted <= bound * (1 + 1e-15L))
            return i;
    }
    return bounds->count;
}

static struct hook *make_hook(const struct bounds *bounds, const struct clock *clock)
{
    struct manifest_function function = {.buckets = (double *)bounds->seconds, .bucket_count = bounds->count};

    return planted_hook_make(&function, clock, 0);
}

/* One call or one addition of that length: it has to be in the one bucket, and in the sum. */
static void check_counted(const struct bounds *bounds, const char *way, uint64_t ticks, size_t expected)
{
    for (size_t i = 0; i <= bounds->count; i++)
        if (planted_word(CELL_BUCKETS + (unsigned)i) != (i == expected))
            fail_msg("bounds %s, %s: %lu ticks: bucket %zu has %lu; expected: bucket %zu", bounds->name, way, ticks, i,
                     planted_word(CELL_BUCKETS + (unsigned)i), expected);
    assert_int_equal(planted_word(CELL_SUM_TICKS), ticks);
    planted_clear();
}

static void check_duration(const struct bounds *bounds, const struct hook *hook, uint64_t ticks,
                           double seconds_per_tick)
{
    size_t expected = expected_bucket(bounds, ticks, seconds_per_tick);

    planted_call(hook, 1000, 1000 + ticks, 0);
    assert_int_equal(planted_word(CELL_STARTED), 1);
    assert_int_equal(planted_word(CELL_SUCCESS), 1);
    check_counted(bounds, "by the trampoline", ticks, expected);
    counters_add_duration_at(&planted_lane, hook, PLANTED_CELL, ticks, 1);
    check_counted(bounds, "by counters.c", ticks, expected);
}

static void check_around(const struct bounds *bounds, const struct hook *hook, uint64_t ticks, double seconds_per_tick)
{
    for (uint64_t i = ticks < 2 ? 0 : ticks - 2; i <= ticks + 2; i++)
        check_duration(bounds, hook, i, seconds_per_tick);
}

static void check_table(const struct bounds *bounds, double seconds_per_tick)
{
    struct clock clock = {.seconds_per_tick = seconds_per_tick};
    const struct hook *hook = make_hook(bounds, &clock);

    for (size_t i = 0; i < bounds->count; i++)
        if (bounds->seconds[i] / seconds_per_tick < 4e18)
            check_around(bounds, hook, (uint64_t)(bounds->seconds[i] / seconds_per_tick), seconds_per_tick);
    for (unsigned bit = 0; bit < 61; bit++)
        check_around(bounds, hook, UINT64_C(1) << bit, seconds_per_tick);
}

static void buckets_are_those_of_a_linear_search(void **state)
{
    /* Nanoseconds, and counters of 2, 3 and not quite 2.9 GHz. */
    const double clocks[] = {1e-09, 5e-10, 1.0 / 3e9, 1 / 2899.9876e6};

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (size_t j = 0; j < sizeof(clocks) / sizeof(*clocks); j++)
            check_table(&tables[i], clocks[j]);
}

static void random_bounds_too(void **state)
{
    struct bounds bounds = {.name = "made at random"};

    (void)state;
    srandom(20);
    for (int round = 0; round < 200; round++) {
        uint64_t last = 0;

        bounds.count = 1 + (size_t)random() % (BOUNDS_MAX - 1);
        for (size_t i = 0; i < bounds.count; i++) {
            /* Whole nanoseconds: what is a fraction of one off a bound is nobody's to say. */
            last += last * (uint64_t)(random() % 500) / 1000 + 1 + (uint64_t)random() % 50;
            bounds.seconds[i] = (double)last / 1e9;
        }
        check_table(&bounds, 1e-09);
    }
}

static void a_clock_that_goes_backwards_is_no_time(void **state)
{
    struct clock clock = {.seconds_per_tick = 1e-09};
    const struct hook *hook = make_hook(&tables[0], &clock);

    (void)state;
    planted_call(hook, 1000, 999, 0);
    check_counted(&tables[0], "by the trampoline", 0, 0);
    counters_add_duration_at(&planted_lane, hook, PLANTED_CELL, UINT64_MAX, 1);
    check_counted(&tables[0], "by counters.c", 0, 0);
}

/* A thread that has no block counts in everybody's. */
static void without_a_block_it_is_the_shared_one(void **state)
{
    static struct {
        struct segment_header header;
        uint64_t words[64];
    } shared;
    static uint8_t *none;
    struct clock clock = {.seconds_per_tick = 1e-09};
    const struct hook *hook = make_hook(&tables[0], &clock);
    struct lane lane = {.block_ref = &none};
    uint64_t *cell = shared.words + PLANTED_CELL / 8;
    struct tally tally = {.bytes = 0};
    void *value = &lane;
    void *mark = NULL;

    (void)state;
    shared.header.blocks = (uint64_t)((uint8_t *)shared.words - (uint8_t *)&shared);
    counters_init(&shared.header, 0);
    counters_add_untimed(&lane, hook);
    counters_add_untimed(&lane, hook);
    assert_int_equal(cell[CELL_STARTED], 2);
    assert_int_equal(cell[CELL_SUCCESS], 2);
    counters_add_duration_at(&lane, hook, PLANTED_CELL, 251, 3);
    assert_int_equal(cell[CELL_SUM_TICKS], 753);
    assert_int_equal(cell[CELL_BUCKETS + 1], 3);
    counters_note_interval(&tally, hook, 256, 1001);
    counters_note_interval(&tally, hook, 256, 1);
    counters_note_interval(&tally, hook, 256, UINT64_MAX); /* backwards */
    counters_commit(&lane, &tally, &mark, &value);
    assert_ptr_equal(mark, value);
    assert_int_equal(cell[32], 1002);
    assert_int_equal(cell[33], 2);
    assert_int_equal(cell[35], 1);
    assert_int_equal(cell[CELL_ERROR], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_those_of_a_linear_search),
        cmocka_unit_test(random_bounds_too),
        cmocka_unit_test(a_clock_that_goes_backwards_is_no_time),
        cmocka_unit_test(without_a_block_it_is_the_shared_one),
    };

    return cmocka_run_group_tests(tests, planted_setup, NULL);
}
