/* Fatal signals and panics in a snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const int two_signals[] = {SIGSEGV, SIGABRT, 0};

/* Signals SIGSEGV and SIGABRT, and functions "first", "second" and "third" without series. */
static void begin(struct segment_builder *builder)
{
    segment_builder_init(builder, &(struct segment_builder_options){.signals = two_signals});
    segment_builder_add_function(builder, "first", "prog");
    segment_builder_add_function(builder, "second", "prog");
    segment_builder_add_function(builder, "third", "prog");
}

static void end(struct segment_builder *builder, struct snapshot *snapshot)
{
    snapshot_finish(snapshot);
    segment_builder_finish(builder);
}

static void take(const struct segment_builder *builder, struct snapshot *ret_snapshot)
{
    assert_int_equal(snapshot_take(builder->segment, builder->segment->segment_bytes, NULL, ret_snapshot), 0);
}

static void assert_row(const struct snapshot *snapshot, size_t row, const char *function, uint64_t segv, uint64_t abrt)
{
    assert_true(row < snapshot->panics_count);
    assert_string_equal(snapshot->panics[row].function, function);
    assert_string_equal(snapshot->panics[row].module, *function ? "prog" : "");
    assert_true(snapshot->panics[row].is_shown);
    assert_int_equal(snapshot->panics[row].counts[0], segv);
    assert_int_equal(snapshot->panics[row].counts[1], abrt);
}

static void without_signals_there_are_no_panics(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "f", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){0});
    take(&builder, &snapshot);
    assert_int_equal(snapshot.signal_count, 0);
    assert_int_equal(snapshot.panics_count, 0);
    end(&builder, &snapshot);
}

static void signals_count_from_zero_under_their_names(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    builder.segment->fatal_signals[1] = 7;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.signal_count, 2);
    assert_string_equal(snapshot.signals[0].name, "SIGSEGV");
    assert_int_equal(snapshot.signals[0].count, 0);
    assert_string_equal(snapshot.signals[1].name, "SIGABRT");
    assert_int_equal(snapshot.signals[1].count, 7);
    assert_int_equal(snapshot.panics_count, 1);
    assert_row(&snapshot, 0, "", 0, 0);
    end(&builder, &snapshot);
}

/* A segment may be a file that somebody wrote. */
static void strange_signals_are_left_out(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    memcpy(builder.segment->signals, (const uint32_t[]){0, SIGSEGV, SIGSEGV, SIGKILL, 65, UINT32_MAX, SIGIO}, 28);
    builder.segment->signal_count = UINT32_MAX;
    builder.segment->fatal_signals[6] = 5;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.signal_count, 2);
    assert_string_equal(snapshot.signals[0].name, "SIGSEGV");
    assert_int_equal(snapshot.signals[0].position, 1);
    assert_string_equal(snapshot.signals[1].name, "SIGIO");
    assert_int_equal(snapshot.signals[1].count, 5);
    end(&builder, &snapshot);
}

static void named_functions_are_there_before_their_first_panic(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 1});
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 2);
    assert_row(&snapshot, 0, "", 0, 0);
    assert_row(&snapshot, 1, "second", 0, 0);
    assert_false(snapshot.panics[1].has_recover);
    end(&builder, &snapshot);
}

/* Nor can a function whose calls are only counted have any. */
static void a_globs_function_appears_with_its_first_panic(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 0, .has_no_duration = true});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 1, .is_from_glob = true});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 2, .is_from_glob = true});
    segment_builder_panics(&builder, 2)[1] = 4;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 2);
    assert_row(&snapshot, 0, "", 0, 0);
    assert_row(&snapshot, 1, "third", 0, 4);
    end(&builder, &snapshot);
}

static void functions_of_equal_names_add_up(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_add_function(&builder, "first", "prog");
    segment_builder_add_function(&builder, "first", "lib.so");
    segment_builder_function(&builder, 3)->has_recover = 1;
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 0});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 3});
    segment_builder_panics(&builder, 0)[0] = 1;
    segment_builder_panics(&builder, 3)[0] = 2;
    segment_builder_panics(&builder, 3)[1] = 5;
    segment_builder_panics(&builder, 4)[0] = 9;
    *segment_builder_recovered(&builder, 0) = 1;
    *segment_builder_recovered(&builder, 3) = 2;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 3);
    assert_row(&snapshot, 1, "first", 3, 5);
    assert_true(snapshot.panics[1].has_recover);
    assert_int_equal(snapshot.panics[1].recovered, 3);
    assert_string_equal(snapshot.panics[2].module, "lib.so");
    assert_int_equal(snapshot.panics[2].counts[0], 9);
    end(&builder, &snapshot);
}

/* All calls of both names are the first one's. */
static void a_second_name_of_one_place_has_no_panics(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 0});
    segment_builder_add_series(
        &builder,
        &(struct segment_builder_series){.function = 1, .shared_cell = segment_builder_series(&builder, 0)->cell + 1});
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 2);
    assert_row(&snapshot, 1, "first", 0, 0);
    end(&builder, &snapshot);
}

static void recoveries_count_from_zero_where_there_may_be_some(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_function(&builder, 1)->has_recover = 1;
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 0});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 1});
    *segment_builder_recovered(&builder, 2) = 8;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 4);
    assert_false(snapshot.panics[1].has_recover);
    assert_true(snapshot.panics[2].has_recover);
    assert_int_equal(snapshot.panics[2].recovered, 0);
    assert_string_equal(snapshot.panics[3].function, "third");
    assert_true(snapshot.panics[3].has_recover);
    assert_false(snapshot.panics[3].is_shown);
    assert_int_equal(snapshot.panics[3].recovered, 8);
    end(&builder, &snapshot);
}

static void tables_that_lie_elsewhere_are_not_read(void **state)
{
    struct segment_builder builder;
    struct segment_header sound;

    (void)state;
    begin(&builder);
    sound = *builder.segment;
    const struct {
        uint64_t panics;
        uint64_t recovered;
        size_t rows;
    } cases[] = {
        {0, sound.recovered, 0},
        {8, sound.recovered, 0},
        {sound.panics + 4, sound.recovered, 0},
        {sound.blocks - 8, sound.recovered, 0},
        {UINT64_MAX - 7, sound.recovered, 0},
        {sound.panics, 0, 1},
        {sound.panics, sound.blocks, 1},
        {sound.panics, UINT64_MAX - 7, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct snapshot snapshot;

        builder.segment->panics = cases[i].panics;
        builder.segment->recovered = cases[i].recovered;
        take(&builder, &snapshot);
        assert_int_equal(snapshot.signal_count, 2);
        assert_int_equal(snapshot.panics_count, cases[i].rows);
        snapshot_finish(&snapshot);
    }
    segment_builder_finish(&builder);
}

/* Where each row of the table is a function's, the next one is that of none. */
static void panics_of_none_stay_theirs_in_a_full_table(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(
        &builder, &(struct segment_builder_options){.functions = 2, .signals = (const int[]){SIGSEGV, SIGABRT, 0}});
    segment_builder_add_function(&builder, "first", "prog");
    segment_builder_add_function(&builder, "second", "prog");
    segment_builder_panics(&builder, 1)[1] = 5;
    segment_builder_panics(&builder, 2)[0] = 3;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.panics_count, 2);
    assert_row(&snapshot, 0, "", 3, 0);
    assert_row(&snapshot, 1, "second", 0, 5);
    end(&builder, &snapshot);
}

static void state_errors_have_their_reasons(void **state)
{
    static const char *const names[] = {"damaged", "version", "manifest", "unsafe", "busy", "io"};
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    builder.segment->state_errors[STATE_ERROR_BUSY] = 3;
    take(&builder, &snapshot);
    assert_int_equal(sizeof(names) / sizeof(*names), SEGMENT_STATE_ERRORS);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++) {
        assert_string_equal(snapshot_state_error_name((enum segment_state_error)i), names[i]);
        assert_int_equal(snapshot.state_errors[i], i == STATE_ERROR_BUSY ? 3 : 0);
    }
    end(&builder, &snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_signals_there_are_no_panics),
        cmocka_unit_test(signals_count_from_zero_under_their_names),
        cmocka_unit_test(strange_signals_are_left_out),
        cmocka_unit_test(named_functions_are_there_before_their_first_panic),
        cmocka_unit_test(a_globs_function_appears_with_its_first_panic),
        cmocka_unit_test(functions_of_equal_names_add_up),
        cmocka_unit_test(a_second_name_of_one_place_has_no_panics),
        cmocka_unit_test(recoveries_count_from_zero_where_there_may_be_some),
        cmocka_unit_test(tables_that_lie_elsewhere_are_not_read),
        cmocka_unit_test(panics_of_none_stay_theirs_in_a_full_table),
        cmocka_unit_test(state_errors_have_their_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
