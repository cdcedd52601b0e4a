/* The choice of sampling intervals, on made-up programs: what a second of a program's own work calls how often. A
 * program is busy, so tracking that costs less lets it call more. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/control/serving/intervals.h"

enum {
    FUNCTIONS_MAX = 6,
    TURNS = 30,
};

#define TIMED   30e-9
#define SAMPLED 240e-9
#define PASSED  1e-9

struct program {
    const char *name;
    double share;
    double rates[FUNCTIONS_MAX];  /* calls in a second of its own work; up to the first that is never called */
    double leasts[FUNCTIONS_MAX]; /* 0 is as good as 1 */
    unsigned fixed;               /* bits */
};

struct run {
    const struct program *program;
    struct interval_load loads[FUNCTIONS_MAX];
    size_t count;
    double load; /* CPU seconds in a turn */
    double pace; /* how much more, or less, is called than the rates say */
};

static void begin(struct run *run, const struct program *program)
{
    *run = (struct run){.program = program, .load = 1, .pace = 1};
    while (run->count < FUNCTIONS_MAX && program->rates[run->count] > 0) {
        double least = fmax(program->leasts[run->count], 1);

        run->loads[run->count] = (struct interval_load){
            .timed_cost = TIMED,
            .sampled_cost = SAMPLED,
            .passed_cost = PASSED,
            .least = least,
            .interval = least,
            .is_fixed = program->fixed >> run->count & 1,
        };
        run->count++;
    }
}

/* Lets the program work for a turn. Returns the share that tracking took of it. */
static double work(struct run *run)
{
    double cost = 0;
    double own;

    for (size_t i = 0; i < run->count; i++) {
        run->loads[i].calls = run->program->rates[i] * run->pace;
        cost += intervals_cost(&run->loads[i]);
    }
    own = run->load / (1 + cost);
    for (size_t i = 0; i < run->count; i++)
        run->loads[i].calls *= own;
    return cost / (1 + cost);
}

static bool choose(struct run *run)
{
    return intervals_choose(run->loads, run->count, run->load, run->program->share);
}

/* Works until nothing changes any more. */
static void converge(struct run *run)
{
    for (int i = 0; i < TURNS; i++) {
        work(run);
        choose(run);
    }
}

static const struct program programs[] = {
    {"one hot function", 0.25, {1e8}, {1}, 0},
    {"one hot function, a small share", 0.15, {1e8}, {1}, 0},
    {"a hot and a rare one", 0.25, {1e8, 10}, {1}, 0},
    {"several", 0.05, {1e7, 3e6, 1e6, 1e5, 10}, {1}, 0},
    {"several, with a sample rate", 0.05, {1e7, 3e6, 1e6, 1e5, 10}, {1, 100, 3.5, 1, 7}, 0},
    {"one of them fixed", 0.1, {1e7, 2e6, 100}, {1}, 2},
    {"all alike", 0.02, {1e6, 1e6, 1e6, 1e6, 1e6, 1e6}, {1}, 0},
    {"a sample rate beyond the longest interval", 0.2, {5e7, 1e8}, {1, 1e9}, 0},
};

#define EACH_PROGRAM(program)                                                                                          \
    for (const struct program *program = programs; program < programs + sizeof(programs) / sizeof(programs[0]);        \
         program++)

static void the_share_stays_under_the_budget(void **state)
{
    (void)state;
    EACH_PROGRAM(program)
    {
        struct run run;

        begin(&run, program);
        for (int turn = 0; turn < TURNS; turn++) {
            double share = work(&run);

            if (turn > 0 && share >= program->share)
                fail_msg("%s: turn %d took %g of the time, the budget is %g", program->name, turn, share,
                         program->share);
            assert_true(choose(&run));
        }
        if (work(&run) < program->share * 0.5)
            fail_msg("%s: only %g of the time, the budget is %g", program->name, work(&run), program->share);
    }
}

static void what_fits_is_left_alone(void **state)
{
    static const struct program cold = {"cold", 0.02, {1e4, 10, 100}, {1, 5, 2.5}, 0};
    struct run run;

    (void)state;
    begin(&run, &cold);
    for (int turn = 0; turn < TURNS; turn++) {
        work(&run);
        assert_true(choose(&run));
        for (size_t i = 0; i < run.count; i++)
            assert_true(run.loads[i].interval == run.loads[i].least);
    }
}

static void hot_functions_come_first(void **state)
{
    (void)state;
    EACH_PROGRAM(program)
    {
        struct run run;

        begin(&run, program);
        work(&run);
        choose(&run);
        for (size_t i = 0; i < run.count; i++)
            for (size_t j = 0; j < run.count; j++)
                if (!run.loads[i].is_fixed && run.loads[i].calls < run.loads[j].calls && run.loads[j].least <= 1 &&
                    run.loads[i].least <= 1 && !run.loads[j].is_fixed && run.loads[i].interval > run.loads[j].interval)
                    fail_msg("%s: %zu is called less often than %zu, and timed more rarely", program->name, i, j);
    }
}

static void rare_calls_are_all_timed(void **state)
{
    static const struct program mixed = {"mixed", 0.02, {1e7, 3000, 10}, {1}, 0};
    struct run run;

    (void)state;
    begin(&run, &mixed);
    converge(&run);
    assert_true(run.loads[0].interval > 100);
    assert_true(run.loads[1].interval == 1);
    assert_true(run.loads[2].interval == 1);
}

static void intervals_are_whole_and_within_bounds(void **state)
{
    (void)state;
    EACH_PROGRAM(program)
    {
        struct run run;

        begin(&run, program);
        for (int turn = 0; turn < TURNS; turn++) {
            work(&run);
            choose(&run);
            for (size_t i = 0; i < run.count; i++) {
                const struct interval_load *load = &run.loads[i];

                assert_true(load->interval >= load->least);
                assert_true(load->interval == load->least || load->interval == floor(load->interval));
                assert_true(load->interval <= fmax(load->least, INTERVALS_MAX));
                assert_true(!load->is_fixed || load->interval == load->least);
                /* To time all costs less than to time nearly all. */
                assert_true(load->interval == load->least || load->least > 1 || load->interval >= 8);
            }
        }
    }
}

/* Turns of different length, in which a little more or less is called. */
static void nothing_changes_once_it_fits(void **state)
{
    (void)state;
    EACH_PROGRAM(program)
    {
        double before[FUNCTIONS_MAX];
        struct run run;

        begin(&run, program);
        converge(&run);
        for (size_t i = 0; i < run.count; i++)
            before[i] = run.loads[i].interval;
        for (int turn = 0; turn < TURNS; turn++) {
            run.load = turn % 3 ? 1.2 : 0.1;
            run.pace = turn % 2 ? 1.05 : 0.95;
            work(&run);
            choose(&run);
            for (size_t i = 0; i < run.count; i++)
                if (run.loads[i].interval != before[i])
                    fail_msg("%s: the interval of %zu went from %g to %g", program->name, i, before[i],
                             run.loads[i].interval);
        }
    }
}

static void intervals_come_down_by_half(void **state)
{
    static const struct program hot = {"hot", 0.2, {1e8}, {1}, 0}, warm = {"warm", 0.2, {1e6}, {1}, 0};
    struct run run;
    double before;
    int turns = 0;

    (void)state;
    begin(&run, &hot);
    converge(&run);
    before = run.loads[0].interval;
    assert_true(before > 20);
    run.program = &warm;
    for (; run.loads[0].interval > 1; turns++) {
        assert_true(turns < TURNS);
        before = run.loads[0].interval;
        work(&run);
        choose(&run);
        assert_true(run.loads[0].interval == 1 || run.loads[0].interval == ceil(before / 2));
    }
    assert_true(turns > 1);
}

static void they_come_down_no_further_than_they_may(void **state)
{
    static const struct program hot = {"hot", 0.2, {1e8}, {1}, 0}, less = {"less", 0.2, {7e7}, {1}, 0};
    struct run run;
    double before;

    (void)state;
    begin(&run, &hot);
    converge(&run);
    before = run.loads[0].interval;
    run.program = &less;
    for (int turn = 0; turn < TURNS; turn++) {
        assert_true(work(&run) < 0.2);
        choose(&run);
    }
    assert_true(run.loads[0].interval < before);
    assert_true(run.loads[0].interval > before / 2);
}

static void they_go_up_at_once(void **state)
{
    static const struct program hot = {"hot", 0.2, {1e8}, {1}, 0}, warm = {"warm", 0.2, {1e6}, {1}, 0};
    struct run run;

    (void)state;
    begin(&run, &warm);
    converge(&run);
    assert_true(run.loads[0].interval == 1);
    run.program = &hot;
    assert_true(work(&run) > 0.2);
    choose(&run);
    assert_true(work(&run) < 0.2);
}

static void idle_turns_bring_them_down_slowly(void **state)
{
    static const struct program hot = {"hot", 0.2, {1e8, 1e7, 1e6}, {1, 9, 3}, 4};
    struct run run;
    double before;
    int turns = 0;

    (void)state;
    begin(&run, &hot);
    converge(&run);
    before = run.loads[0].interval;
    assert_true(before > 20);
    intervals_relax(run.loads, run.count);
    assert_true(run.loads[0].interval < before);
    assert_true(run.loads[0].interval >= before * 0.9);
    while (run.loads[0].interval > 1 || run.loads[1].interval > 9) {
        assert_true(turns++ < 10 * TURNS);
        intervals_relax(run.loads, run.count);
    }
    assert_true(turns > 5);
    assert_true(run.loads[1].interval == 9);
    assert_true(run.loads[2].interval == 3);
}

/* To count is more than the budget already: it is told, and some calls are timed all the same. */
static void a_budget_that_cannot_be_kept(void **state)
{
    static const struct program busy = {"busy", 0.01, {2e8, 10}, {1}, 0};
    struct run run;
    double longest;

    (void)state;
    begin(&run, &busy);
    for (int turn = 0; turn < TURNS; turn++) {
        work(&run);
        assert_false(choose(&run));
        assert_true(run.loads[0].interval > 100);
        assert_true(run.loads[0].calls / run.loads[0].interval > 1000);
        assert_true(run.loads[1].interval == 1);
    }
    longest = run.loads[0].interval;
    for (int turn = 0; turn < TURNS; turn++) {
        run.pace = turn % 2 ? 1.05 : 0.95;
        work(&run);
        choose(&run);
        assert_true(run.loads[0].interval == longest);
    }
}

static void there_is_a_longest_interval(void **state)
{
    struct interval_load load = {.calls = 1e9, .timed_cost = 1, .sampled_cost = 2, .least = 1, .interval = 1};

    (void)state;
    assert_false(intervals_choose(&load, 1, 1, 0.01));
    assert_true(load.interval <= INTERVALS_MAX);
    assert_true(load.interval > INTERVALS_MAX / 2);
}

static void prices_that_add_up_to_more_than_all(void **state)
{
    static const struct program wrong = {"wrong", 0.3, {1e8}, {1}, 0};
    struct run run;

    (void)state;
    begin(&run, &wrong);
    work(&run);
    run.loads[0].calls = 1e8;
    intervals_choose(run.loads, run.count, 1, 0.3);
    assert_true(run.loads[0].interval > 1);
    begin(&run, &wrong);
    run.loads[0].calls = 4e7;
    assert_true(intervals_choose(run.loads, run.count, 1, 0.9));
    assert_true(run.loads[0].interval > 1);
}

static void nothing_is_called(void **state)
{
    struct interval_load loads[2] = {
        {.timed_cost = TIMED, .sampled_cost = SAMPLED, .passed_cost = PASSED, .least = 1, .interval = 1},
        {.timed_cost = TIMED, .sampled_cost = SAMPLED, .passed_cost = PASSED, .least = 2, .interval = 64},
    };

    (void)state;
    assert_true(intervals_choose(loads, 0, 1, 0.5));
    assert_true(intervals_choose(loads, 2, 1, 0.5));
    assert_true(loads[0].interval == 1);
    assert_true(loads[1].interval == 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_stays_under_the_budget),
        cmocka_unit_test(what_fits_is_left_alone),
        cmocka_unit_test(hot_functions_come_first),
        cmocka_unit_test(rare_calls_are_all_timed),
        cmocka_unit_test(intervals_are_whole_and_within_bounds),
        cmocka_unit_test(nothing_changes_once_it_fits),
        cmocka_unit_test(intervals_come_down_by_half),
        cmocka_unit_test(they_come_down_no_further_than_they_may),
        cmocka_unit_test(they_go_up_at_once),
        cmocka_unit_test(idle_turns_bring_them_down_slowly),
        cmocka_unit_test(a_budget_that_cannot_be_kept),
        cmocka_unit_test(there_is_a_longest_interval),
        cmocka_unit_test(prices_that_add_up_to_more_than_all),
        cmocka_unit_test(nothing_is_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
