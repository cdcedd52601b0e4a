/* The snapshot of what only some series have: labels whose values come from calls, errors by type, items, intervals,
 * moments, sampling; and resources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const double two_bounds[] = {0.001, 0.1};
static const struct segment_builder_label table_label[] = {{"table", SEGMENT_VALUE_STRING, NULL}};
static const struct snapshot_clock noon = {.ticks = UINT64_C(5000000000), .unix_seconds = 1700000000.25};

static void assert_double(double found, double expected)
{
    if (found < expected || found > expected)
        fail_msg("found %.17g, expected %.17g", found, expected);
}

/* A segment with one function, "query" of "prog". */
static void begin(struct segment_builder *builder)
{
    segment_builder_init(builder, &(struct segment_builder_options){.blocks = 3, .block_bytes = 65536});
    segment_builder_add_function(builder, "query", "prog");
}

static void take(struct segment_builder *builder, struct snapshot *ret_snapshot)
{
    assert_int_equal(snapshot_take(builder->segment, builder->segment->segment_bytes, &noon, ret_snapshot), 0);
}

static void end(struct segment_builder *builder, struct snapshot *snapshot)
{
    snapshot_finish(snapshot);
    segment_builder_finish(builder);
}

static uint32_t add_table(struct segment_builder *builder, uint64_t values, const char *text)
{
    return segment_builder_add_tuple(builder, values, &(struct segment_builder_value){.text = text});
}

static void assert_labels(const struct snapshot_series *series, const char *labels, size_t bytes)
{
    assert_memory_equal(series->labels, labels, bytes);
}

#define ASSERT_LABELS(series, labels) assert_labels(series, labels, sizeof(labels))

/* Series ----------------------------------------------------------------------------------------------------------- */

static void each_tuple_is_a_series(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t values;

    (void)state;
    begin(&builder);
    values = segment_builder_add_values(&builder, table_label, 1, 5);
    segment_builder_add_series(
        &builder, &(struct segment_builder_series){
                      .labels = "a\0x\0z\0y\0", .bounds = two_bounds, .bucket_count = 2, .values = values});
    add_table(&builder, values, "users");
    add_table(&builder, values, "never");
    add_table(&builder, values, "orders");
    segment_builder_place(&builder, 0, 0, 0)[CELL_STARTED] = 3;
    segment_builder_place(&builder, 0, 0, 0)[CELL_SUCCESS] = 2;
    segment_builder_place(&builder, 1, 0, 0)[CELL_ERROR] = 1;
    segment_builder_place(&builder, 1, 0, 2)[CELL_STARTED] = 1;
    segment_builder_place(&builder, 2, 0, 4)[CELL_SUCCESS] = 9; /* not complete yet: not below count */
    segment_builder_place(&builder, 2, 0, 5)[CELL_SUCCESS] = 4;
    segment_builder_place(&builder, 2, 0, 5)[CELL_BUCKETS] = 4;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 3);
    ASSERT_LABELS(&snapshot.series[0], "a\0x\0table\0users\0z\0y\0");
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 2);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_ERROR], 1);
    assert_int_equal(snapshot.series[0].active.value, 0);
    ASSERT_LABELS(&snapshot.series[1], "a\0x\0table\0orders\0z\0y\0");
    assert_true(snapshot.series[1].has_outcomes);
    assert_int_equal(snapshot.series[1].active.value, 1);
    ASSERT_LABELS(&snapshot.series[2], "a\0x\0table\0_other\0z\0y\0");
    assert_int_equal(snapshot.series[2].outcomes[OUTCOME_SUCCESS], 4);
    assert_int_equal(snapshot.series[2].durations.count, 4);
    end(&builder, &snapshot);
}

static void labels_without_calls_show_nothing(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t values;

    (void)state;
    begin(&builder);
    values = segment_builder_add_values(&builder, table_label, 1, 5);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values});
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 0);
    assert_int_equal(snapshot.overflow_count, 1);
    assert_int_equal(snapshot.overflows[0].count, 0);
    end(&builder, &snapshot);
}

/* By a map, by what is no UTF-8, and in another entry for the same function whose label is static. */
static void tuples_that_look_equal_are_one_series(void **state)
{
    static const struct segment_builder_label mapped[] = {{"table", SEGMENT_VALUE_STRING, "users\0people\0"}};
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t values;

    (void)state;
    begin(&builder);
    values = segment_builder_add_values(&builder, mapped, 1, 5);
    segment_builder_add_series(
        &builder, &(struct segment_builder_series){
                      .values = values, .has_last_success = true, .has_items = true, .is_health_check = true});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.labels = "table\0people\0"});
    add_table(&builder, values, "users");
    add_table(&builder, values, "people");
    add_table(&builder, values, "\xFE");
    add_table(&builder, values, "\xFF");
    for (uint32_t i = 0; i < 4; i++) {
        const struct segment_series *series = segment_builder_series(&builder, 0);
        uint64_t *cell = segment_builder_place(&builder, 0, 0, i);

        cell[CELL_STARTED] = i + 1;
        cell[CELL_SUCCESS] = i + 1;
        cell[series->items_word] = 10 * i;
        cell[series->last_success_word] = noon.ticks - i * 1000000000;
        cell[series->last_finish_word] = 100 - i * 2 + (i == 2);
    }
    segment_builder_cell(&builder, 0, 1)[CELL_SUCCESS] = 100;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 2);
    ASSERT_LABELS(&snapshot.series[0], "table\0people\0");
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 103);
    assert_int_equal(snapshot.series[0].items.value, 10);
    assert_double(snapshot.series[0].last_success.value, 1700000000.25);
    assert_int_equal(snapshot.series[0].health.value, 0);
    ASSERT_LABELS(&snapshot.series[1], "table\0\xEF\xBF\xBD\0");
    assert_int_equal(snapshot.series[1].outcomes[OUTCOME_SUCCESS], 7);
    assert_double(snapshot.series[1].last_success.value, 1699999998.25);
    assert_int_equal(snapshot.series[1].health.value, 1);
    end(&builder, &snapshot);
}

/* `status` is known at the end only: calls in progress, and those that never end, are shown without it. */
static void calls_in_progress_show_without_what_is_not_known(void **state)
{
    static const struct segment_builder_label labels[] = {{"status", SEGMENT_VALUE_INT64, NULL},
                                                          {"table", SEGMENT_VALUE_STRING, NULL}};
    const struct segment_builder_value done[] = {{.word = 7}, {.text = "users"}};
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t entry_values;
    uint64_t values;
    uint64_t *cell;

    (void)state;
    begin(&builder);
    values = segment_builder_add_values(&builder, labels, 2, 5);
    entry_values = segment_builder_add_values(&builder, table_label, 1, 3);
    segment_builder_add_series(
        &builder, &(struct segment_builder_series){.values = values, .entry_values = entry_values, .has_entry = true});
    segment_builder_add_tuple(&builder, values, done);
    add_table(&builder, entry_values, "users");
    add_table(&builder, entry_values, "orders");
    cell = segment_builder_place(&builder, 0, 0, 0);
    cell[CELL_STARTED] = 5;
    cell[CELL_SUCCESS] = 5;
    segment_builder_entry(&builder, 0, 0, 0)[CELL_STARTED] = 1;
    segment_builder_entry(&builder, 1, 0, 0)[CELL_STARTED] = UINT64_MAX; /* it returned on another thread */
    segment_builder_entry(&builder, 0, 0, 1)[CELL_STARTED] = 3;
    segment_builder_entry(&builder, 0, 0, 1)[CELL_ABANDONED + ABANDONED_LONGJMP] = 1;
    segment_builder_entry(&builder, 0, 0, 3)[CELL_STARTED] = 2;
    segment_builder_entry(&builder, 0, 0, 3)[CELL_ERROR] = 2;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 4);
    ASSERT_LABELS(&snapshot.series[0], "status\0"
                                       "7\0table\0users\0");
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 5);
    assert_false(snapshot.series[0].active.is_shown);
    ASSERT_LABELS(&snapshot.series[1], "table\0users\0");
    assert_false(snapshot.series[1].has_outcomes);
    assert_false(snapshot.series[1].durations.is_shown);
    assert_true(snapshot.series[1].active.is_shown);
    assert_int_equal(snapshot.series[1].active.value, 0);
    ASSERT_LABELS(&snapshot.series[2], "table\0orders\0");
    assert_true(snapshot.series[2].has_outcomes);
    assert_int_equal(snapshot.series[2].outcomes[OUTCOME_ABANDONED], 1);
    assert_int_equal(snapshot.series[2].active.value, 2);
    ASSERT_LABELS(&snapshot.series[3], "table\0_other\0");
    assert_int_equal(snapshot.series[3].outcomes[OUTCOME_ERROR], 2);
    assert_int_equal(snapshot.overflow_count, 2);
    assert_string_equal(snapshot.overflows[0].label, "status");
    assert_int_equal(snapshot.overflows[0].count, 0);
    assert_string_equal(snapshot.overflows[1].label, "table");
    assert_int_equal(snapshot.overflows[1].count, 2);
    end(&builder, &snapshot);
}

static void where_no_label_is_known_calls_in_progress_have_one_series(void **state)
{
    static const struct segment_builder_label status[] = {{"status", SEGMENT_VALUE_INT64, NULL}};

    (void)state;
    for (uint32_t is_from_glob = 0; is_from_glob < 2; is_from_glob++) {
        struct segment_builder builder;
        struct snapshot snapshot;
        uint64_t values;

        begin(&builder);
        values = segment_builder_add_values(&builder, status, 1, 5);
        segment_builder_add_series(&builder, &(struct segment_builder_series){
                                                 .values = values, .has_entry = true, .is_from_glob = is_from_glob});
        take(&builder, &snapshot);
        assert_int_equal(snapshot.series_count, is_from_glob ? 0 : 1);
        assert_int_equal(snapshot.overflow_count, is_from_glob ? 0 : 1);
        snapshot_finish(&snapshot);
        segment_builder_add_tuple(&builder, values, &(struct segment_builder_value){.word = 1});
        segment_builder_cell(&builder, 0, 0)[CELL_SUCCESS] = 1;
        take(&builder, &snapshot);
        assert_int_equal(snapshot.series_count, 2);
        ASSERT_LABELS(&snapshot.series[0], "status\0"
                                           "1\0");
        ASSERT_LABELS(&snapshot.series[1], "");
        assert_true(snapshot.series[1].active.is_shown);
        assert_false(snapshot.series[1].has_outcomes);
        assert_int_equal(snapshot.overflow_count, 1);
        end(&builder, &snapshot);
    }
}

/* Numbers ---------------------------------------------------------------------------------------------------------- */

static void moments_are_the_latest_of_all_blocks(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    const struct segment_series *series;

    (void)state;
    begin(&builder);
    segment_builder_add_series(
        &builder,
        &(struct segment_builder_series){.has_last_start = true, .has_last_success = true, .is_health_check = true});
    series = segment_builder_series(&builder, 0);
    take(&builder, &snapshot);
    assert_true(snapshot.series[0].last_call.is_shown);
    assert_double(snapshot.series[0].last_call.value, 0);
    assert_double(snapshot.series[0].last_success.value, 0);
    assert_false(snapshot.series[0].health.is_shown);
    snapshot_finish(&snapshot);
    for (uint32_t block = 0; block < 3; block++) {
        uint64_t *cell = segment_builder_cell(&builder, block, 0);

        cell[series->last_start_word] = noon.ticks - (block + 1) * UINT64_C(1000000);
        cell[series->last_success_word] =
            noon.ticks + block * UINT64_C(1234800); /* a moment after the clock was read */
        cell[series->last_finish_word] = block == 1 ? 201 : 100 + block * 2;
    }
    take(&builder, &snapshot);
    assert_double(snapshot.series[0].last_call.value, 1700000000.249);
    assert_double(snapshot.series[0].last_success.value, 1700000000.25247); /* rounded to a microsecond */
    assert_true(snapshot.series[0].health.is_shown);
    assert_int_equal(snapshot.series[0].health.value, 1);
    snapshot_finish(&snapshot);
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_false(snapshot.series[0].last_call.is_shown);
    assert_false(snapshot.series[0].last_success.is_shown);
    end(&builder, &snapshot);
}

static void intervals_and_items_are_summed(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    const struct segment_series *series;

    (void)state;
    begin(&builder);
    segment_builder_add_series(
        &builder,
        &(struct segment_builder_series){
            .bounds = two_bounds, .bucket_count = 2, .has_interval = true, .has_items = true, .has_no_duration = true});
    series = segment_builder_series(&builder, 0);
    for (uint32_t block = 0; block < 3; block++) {
        uint64_t *cell = segment_builder_cell(&builder, block, 0);

        cell[series->items_word] = 5;
        cell[series->interval_word] = UINT64_C(1) << 63;
        cell[series->interval_word + 1] = 1;
        cell[series->interval_word + 3] = 2;
    }
    take(&builder, &snapshot);
    assert_false(snapshot.series[0].durations.is_shown);
    assert_false(snapshot.series[0].active.is_shown);
    assert_false(snapshot.series[0].sample_interval.is_shown);
    assert_true(snapshot.series[0].intervals.is_shown);
    assert_int_equal(snapshot.series[0].intervals.count, 9);
    assert_int_equal(snapshot.series[0].intervals.buckets[0], 3);
    assert_int_equal(snapshot.series[0].intervals.buckets[2], 6);
    assert_double(snapshot.series[0].intervals.sum_seconds, 3 * 0x1p63 * 1e-9);
    assert_int_equal(snapshot.series[0].items.value, 15);
    end(&builder, &snapshot);
}

static void skipped_calls_are_successes_and_hide_calls_in_progress(void **state)
{
    static const double intervals[] = {1, 2.5};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct segment_builder builder;
        struct snapshot snapshot;
        uint64_t *cell;

        begin(&builder);
        segment_builder_add_series(
            &builder, &(struct segment_builder_series){.has_skipped = true, .sample_interval = intervals[i]});
        cell = segment_builder_cell(&builder, 1, 0);
        cell[CELL_STARTED] = 3;
        cell[CELL_SUCCESS] = 2;
        cell[segment_builder_series(&builder, 0)->skipped_word] = 40;
        take(&builder, &snapshot);
        assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 42);
        assert_int_equal(snapshot.series[0].active.is_shown, i == 0);
        assert_int_equal(snapshot.series[0].active.value, 1);
        assert_double(snapshot.series[0].sample_interval.value, intervals[i]);
        end(&builder, &snapshot);
    }
}

/* Calls whose end is looked at, all of them, are known to be in progress, timed or not. */
static void sampled_calls_that_are_judged_stay_in_progress(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.sample_interval = 100});
    segment_builder_cell(&builder, 1, 0)[CELL_STARTED] = 3;
    take(&builder, &snapshot);
    assert_true(snapshot.series[0].active.is_shown);
    assert_int_equal(snapshot.series[0].active.value, 3);
    assert_double(snapshot.series[0].sample_interval.value, 100);
    end(&builder, &snapshot);
}

/* Errors ----------------------------------------------------------------------------------------------------------- */

static void assert_error(const struct snapshot *snapshot, size_t index, size_t series, const char *type, uint64_t count)
{
    assert_true(index < snapshot->error_count);
    assert_int_equal(snapshot->errors[index].series, series);
    assert_string_equal(snapshot->errors[index].type, type);
    assert_int_equal(snapshot->errors[index].count, count);
}

static void errors_by_errno_have_its_names(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t *words;

    (void)state;
    begin(&builder);
    segment_builder_add_function(&builder, "glob", "prog");
    segment_builder_add_series(&builder,
                               &(struct segment_builder_series){.function = 1, .is_from_glob = 1, .has_errors = true});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.has_errors = true});
    words = segment_builder_cell(&builder, 0, 0) + segment_builder_series(&builder, 0)->errors_word;
    words[EIO] = 1; /* no call has ended yet, and its series is not shown */
    words = segment_builder_cell(&builder, 0, 1) + segment_builder_series(&builder, 1)->errors_word;
    words[0] = 1;
    words[EWOULDBLOCK] = 2;
    words[41] = 4; /* a number that nothing has */
    words[EHWPOISON] = 8;
    words[SEGMENT_ERRNO_WORDS - 1] = 16;
    segment_builder_cell(&builder, 1, 1)[segment_builder_series(&builder, 1)->errors_word + EAGAIN] = 32;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 1);
    assert_int_equal(snapshot.error_count, 4);
    assert_error(&snapshot, 0, 0, "none", 1);
    assert_error(&snapshot, 1, 0, "EAGAIN", 34);
    assert_error(&snapshot, 2, 0, "_other", 20);
    assert_error(&snapshot, 3, 0, "EHWPOISON", 8);
    assert_int_equal(snapshot.overflow_count, 0);
    end(&builder, &snapshot);
}

static void errors_by_value_have_a_cap(void **state)
{
    static const struct segment_builder_label type[] = {{"error_type", SEGMENT_VALUE_INT64, "-2\0busy\0"}};
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t errors;
    uint64_t values;
    uint32_t word;

    (void)state;
    begin(&builder);
    errors = segment_builder_add_values(&builder, type, 1, 3);
    values = segment_builder_add_values(&builder, table_label, 1, 2);
    segment_builder_add_series(&builder,
                               &(struct segment_builder_series){
                                   .values = values, .error_values = errors, .has_errors = true, .has_entry = true});
    word = segment_builder_series(&builder, 0)->errors_word;
    segment_builder_add_tuple(&builder, errors, &(struct segment_builder_value){.word = (uint64_t)-1});
    segment_builder_add_tuple(&builder, errors, &(struct segment_builder_value){.word = (uint64_t)-2});
    add_table(&builder, values, "users");
    for (uint32_t place = 0; place < 3; place += 2) { /* the tuple, and all others */
        uint64_t *cell = segment_builder_place(&builder, 0, 0, place);

        cell[CELL_ERROR] = 9;
        cell[word] = 1 + place;
        cell[word + 1] = 10;
        cell[word + 3] = 5;
    }
    segment_builder_entry(&builder, 0, 0, 0)[word + 3] = 2; /* it threw */
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 3);
    assert_int_equal(snapshot.error_count, 7);
    assert_error(&snapshot, 0, 0, "-1", 1);
    assert_error(&snapshot, 1, 0, "busy", 10);
    assert_error(&snapshot, 2, 0, "_other", 5);
    assert_error(&snapshot, 3, 1, "-1", 3);
    assert_error(&snapshot, 6, 2, "_other", 2);
    assert_int_equal(snapshot.overflow_count, 2);
    assert_string_equal(snapshot.overflows[0].label, "table");
    assert_int_equal(snapshot.overflows[0].count, 9);
    assert_string_equal(snapshot.overflows[1].label, "error_type");
    assert_int_equal(snapshot.overflows[1].count, 12);
    end(&builder, &snapshot);
}

static void errors_of_equal_series_add_up(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    struct segment_builder_series plain = {.has_errors = true};

    (void)state;
    begin(&builder);
    segment_builder_add_function(&builder, "query", "prog");
    segment_builder_add_series(&builder, &plain);
    plain.function = 1;
    segment_builder_add_series(&builder, &plain);
    plain.function = 0;
    plain.shared_cell = segment_builder_series(&builder, 0)->cell + 1;
    segment_builder_add_series(&builder, &plain);
    for (uint32_t i = 0; i < 2; i++)
        segment_builder_cell(&builder, 0, i)[segment_builder_series(&builder, i)->errors_word + EIO] = i + 1;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 1);
    assert_int_equal(snapshot.error_count, 1);
    assert_error(&snapshot, 0, 0, "EIO", 3);
    end(&builder, &snapshot);
}

/* Two entries of one name for one address. */
static void overflows_are_counted_once(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    struct segment_builder_series plain = {0};

    (void)state;
    begin(&builder);
    plain.values = segment_builder_add_values(&builder, table_label, 1, 2);
    segment_builder_add_series(&builder, &plain);
    plain.shared_cell = segment_builder_series(&builder, 0)->cell + 1;
    segment_builder_add_series(&builder, &plain);
    plain.shared_cell = 0;
    segment_builder_add_series(&builder, &plain);
    segment_builder_place(&builder, 0, 0, 2)[CELL_ERROR] = 3;
    segment_builder_place(&builder, 0, 2, 2)[CELL_SUCCESS] = 4;
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 1);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_ERROR], 3);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 4);
    assert_int_equal(snapshot.overflow_count, 1);
    assert_int_equal(snapshot.overflows[0].count, 7);
    end(&builder, &snapshot);
}

/* Resources and the header ----------------------------------------------------------------------------------------- */

static void set_gauge(struct segment_gauge *gauge, enum segment_value_type type, uint64_t value)
{
    *gauge = (struct segment_gauge){.value = value, .type = type, .is_known = 1};
}

static void resources_have_what_is_known(void **state)
{
    static const char *const names[] = {"clients", "slots", "clients", "strings"};
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.resources = 4});
    for (uint32_t i = 0; i < 4; i++)
        segment_builder_resource(&builder, i)->name = segment_builder_add_text(&builder, names[i], 0);
    set_gauge(&segment_builder_resource(&builder, 0)->in_use, SEGMENT_VALUE_INT64, (uint64_t)-7);
    set_gauge(&segment_builder_resource(&builder, 0)->limit, SEGMENT_VALUE_DOUBLE, UINT64_C(0x3FF8000000000000));
    set_gauge(&segment_builder_resource(&builder, 1)->in_use, SEGMENT_VALUE_BOOL, 200);
    set_gauge(&segment_builder_resource(&builder, 1)->limit, SEGMENT_VALUE_FLOAT, 0xFFFFFFFF40200000);
    segment_builder_resource(&builder, 1)->limit.is_known = 0;
    set_gauge(&segment_builder_resource(&builder, 2)->in_use, SEGMENT_VALUE_UINT64, 1); /* the name is taken */
    set_gauge(&segment_builder_resource(&builder, 3)->in_use, SEGMENT_VALUE_STRING, 1);
    set_gauge(&segment_builder_resource(&builder, 3)->limit, SEGMENT_VALUE_FLOAT, 0xFFFFFFFF40200000);
    take(&builder, &snapshot);
    assert_int_equal(snapshot.resource_count, 3);
    assert_string_equal(snapshot.resources[0].name, "clients");
    assert_double(snapshot.resources[0].in_use.value, -7);
    assert_true(snapshot.resources[0].limit.is_shown);
    assert_double(snapshot.resources[0].limit.value, 1.5);
    assert_double(snapshot.resources[1].in_use.value, 1);
    assert_false(snapshot.resources[1].limit.is_shown);
    assert_false(snapshot.resources[2].in_use.is_shown);
    assert_double(snapshot.resources[2].limit.value, 2.5);
    end(&builder, &snapshot);
}

static void the_overhead_shows_once_it_is_known(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    builder.segment->overhead_ratio = UINT64_C(0x3FA999999999999A); /* 0.05 */
    take(&builder, &snapshot);
    assert_false(snapshot.overhead_ratio.is_shown);
    snapshot_finish(&snapshot);
    builder.segment->is_overhead_known = 1;
    take(&builder, &snapshot);
    assert_true(snapshot.overhead_ratio.is_shown);
    assert_double(snapshot.overhead_ratio.value, 0.05);
    end(&builder, &snapshot);
}

static void the_number_of_processes_shows_once_it_is_known(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    begin(&builder);
    take(&builder, &snapshot);
    assert_false(snapshot.processes.is_shown);
    snapshot_finish(&snapshot);
    builder.segment->processes = 3;
    take(&builder, &snapshot);
    assert_true(snapshot.processes.is_shown);
    assert_double(snapshot.processes.value, 3);
    end(&builder, &snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tuple_is_a_series),
        cmocka_unit_test(labels_without_calls_show_nothing),
        cmocka_unit_test(tuples_that_look_equal_are_one_series),
        cmocka_unit_test(calls_in_progress_show_without_what_is_not_known),
        cmocka_unit_test(where_no_label_is_known_calls_in_progress_have_one_series),
        cmocka_unit_test(moments_are_the_latest_of_all_blocks),
        cmocka_unit_test(intervals_and_items_are_summed),
        cmocka_unit_test(skipped_calls_are_successes_and_hide_calls_in_progress),
        cmocka_unit_test(sampled_calls_that_are_judged_stay_in_progress),
        cmocka_unit_test(errors_by_errno_have_its_names),
        cmocka_unit_test(errors_by_value_have_a_cap),
        cmocka_unit_test(errors_of_equal_series_add_up),
        cmocka_unit_test(overflows_are_counted_once),
        cmocka_unit_test(resources_have_what_is_known),
        cmocka_unit_test(the_overhead_shows_once_it_is_known),
        cmocka_unit_test(the_number_of_processes_shows_once_it_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
