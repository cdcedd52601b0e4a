/* The snapshot: sums over blocks, series merged and hidden, broken segments, and writers that do not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const double two_bounds[] = {0.001, 0.1};

static void assert_double(double found, double expected)
{
    if (found < expected || found > expected)
        fail_msg("found %.17g, expected %.17g", found, expected);
}

static void an_empty_segment_has_no_series(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 0);
    assert_int_equal(snapshot.function_count, 0);
    assert_string_equal(snapshot.namespace_, "callmeter");
    assert_string_equal(snapshot.constant_labels, "");
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

static void counters_are_summed_over_all_blocks(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = 300});
    segment_builder_add_function(&builder, "work", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = two_bounds, .bucket_count = 2});
    for (uint32_t block = 0; block < 300; block += 3) {
        uint64_t *cell = segment_builder_cell(&builder, block, 0);

        for (uint64_t word = 0; word < CELL_BUCKETS + 3; word++)
            cell[word] = word + 1;
        cell[CELL_STARTED] = 1000;
        cell[CELL_SUM_TICKS] = 500000000;
    }
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 1);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 100 * (CELL_SUCCESS + 1));
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_ERROR], 100 * (CELL_ERROR + 1));
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_THROTTLED], 100 * (CELL_THROTTLED + 1));
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_PANIC], 100 * (CELL_PANIC + 1));
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_ABANDONED], 100 * (7 + 8 + 9 + 10 + 11));
    assert_int_equal(snapshot.series[0].abandoned[ABANDONED_EXEC], 100 * (CELL_ABANDONED + ABANDONED_EXEC + 1));
    assert_int_equal(snapshot.series[0].durations.buckets[0], 100 * (CELL_BUCKETS + 1));
    assert_int_equal(snapshot.series[0].durations.buckets[2], 100 * (CELL_BUCKETS + 3));
    assert_int_equal(snapshot.series[0].durations.count, 100 * (3 * CELL_BUCKETS + 6));
    assert_double(snapshot.series[0].durations.sum_seconds, 50);
    assert_int_equal(snapshot.series[0].active.value, 100 * (1000 - (2 + 4 + 5 + 6) - (7 + 8 + 9 + 10 + 11)));
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

/* Cells of 30 words in a row: some begin on one page and end on the next. */
static void cells_that_cross_a_page_are_read_whole(void **state)
{
    enum {
        SERIES = 200
    };
    double bounds[18];
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    for (int i = 0; i < 18; i++)
        bounds[i] = i + 1;
    segment_builder_init(&builder, &(struct segment_builder_options){
                                       .functions = SERIES, .series = SERIES, .blocks = 2, .block_bytes = 65536});
    builder.next_cell = 136; /* off the cache line, too */
    for (uint32_t i = 0; i < SERIES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", i);
        segment_builder_add_function(&builder, name, "prog");
        segment_builder_add_series(
            &builder, &(struct segment_builder_series){.function = i, .bounds = bounds, .bucket_count = 18});
        segment_builder_cell(&builder, 1, i)[CELL_STARTED] = i + 1;
        for (uint64_t word = CELL_BUCKETS; word < CELL_BUCKETS + 19; word++)
            segment_builder_cell(&builder, 1, i)[word] = word * 1000 + i;
    }
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, SERIES);
    for (uint32_t i = 0; i < SERIES; i++) {
        assert_int_equal(snapshot.series[i].active.value, i + 1);
        for (uint64_t bucket = 0; bucket < 19; bucket++)
            assert_int_equal(snapshot.series[i].durations.buckets[bucket], (CELL_BUCKETS + bucket) * 1000 + i);
    }
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

static void two_series_may_share_a_cell(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t offset;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "one", "prog");
    segment_builder_add_function(&builder, "other", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = two_bounds, .bucket_count = 2});
    offset = segment_builder_series(&builder, 0)->cell;
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 1, .shared_cell = offset + 1});
    segment_builder_cell(&builder, 0, 0)[CELL_SUCCESS] = 7;
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 2);
    assert_string_equal(snapshot.series[1].function, "other");
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 7);
    assert_int_equal(snapshot.series[1].outcomes[OUTCOME_SUCCESS], 7);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

/* Two static functions of one name; further entries for the address of each. */
static void equal_labels_become_one_series(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    const struct segment_builder_series plain = {.bounds = two_bounds, .bucket_count = 2};
    struct segment_builder_series again = plain;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "init", "prog");
    segment_builder_add_function(&builder, "init", "prog");
    segment_builder_add_function(&builder, "init", "libother.so");
    segment_builder_add_series(&builder, &plain);
    again.function = 1;
    segment_builder_add_series(&builder, &again);
    again.function = 2;
    segment_builder_add_series(&builder, &again);
    again.function = 0;
    again.shared_cell = segment_builder_series(&builder, 0)->cell + 1;
    segment_builder_add_series(&builder, &again);
    again.function = 1;
    again.shared_cell = segment_builder_series(&builder, 1)->cell + 1;
    segment_builder_add_series(&builder, &again);
    for (uint32_t i = 0; i < 3; i++) {
        segment_builder_cell(&builder, 0, i)[CELL_STARTED] = 10;
        segment_builder_cell(&builder, 0, i)[CELL_SUCCESS] = i + 1;
        segment_builder_cell(&builder, 0, i)[CELL_BUCKETS + 1] = i + 1;
    }
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 2);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 1 + 2);
    assert_int_equal(snapshot.series[0].durations.count, 1 + 2);
    assert_int_equal(snapshot.series[0].active.value, 20 - 3);
    assert_string_equal(snapshot.series[1].module, "libother.so");
    assert_int_equal(snapshot.series[1].outcomes[OUTCOME_SUCCESS], 3);
    assert_int_equal(snapshot.function_count, 2);
    assert_int_equal(snapshot.states[SEGMENT_FULL], 3);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

/* A function's row is one by all that is said of it; what has no state is none. */
static void functions_differ_by_each_of_their_texts(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    for (uint32_t i = 0; i < 8; i++)
        segment_builder_add_function(&builder, i == 1 ? "other" : "f", i == 2 ? "lib.so" : "prog");
    for (uint32_t i = 0; i < 8; i++)
        segment_builder_function(&builder, i)->symbol = segment_builder_function(&builder, 0)->symbol;
    segment_builder_function(&builder, 3)->symbol = segment_builder_add_text(&builder, "symbol", 0);
    segment_builder_function(&builder, 4)->reason = segment_builder_add_text(&builder, "reason", 0);
    segment_builder_function(&builder, 5)->state = SEGMENT_COUNT;
    segment_builder_function(&builder, 6)->state = SEGMENT_FUNCTION_STATES;
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.function_count, 6); /* the last one is the first again */
    assert_int_equal(snapshot.states[SEGMENT_FULL], 6);
    assert_int_equal(snapshot.states[SEGMENT_COUNT], 1);
    assert_string_equal(snapshot.functions[1].name, "other");
    assert_string_equal(snapshot.functions[3].symbol, "symbol");
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

static void equal_labels_with_other_bounds_are_no_histogram(void **state)
{
    static const double other_bounds[] = {0.001, 0.2};
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "init", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = two_bounds, .bucket_count = 2});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = other_bounds, .bucket_count = 2});
    for (uint32_t i = 0; i < 2; i++) {
        segment_builder_cell(&builder, 0, i)[CELL_SUCCESS] = 5;
        segment_builder_cell(&builder, 0, i)[CELL_BUCKETS] = 5;
    }
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 1);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 10);
    assert_int_equal(snapshot.series[0].durations.count, 5);
    assert_double(snapshot.series[0].bounds[1], 0.1);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

static void a_globs_series_appears_with_its_first_call(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = 2});
    for (uint32_t i = 0; i < 3; i++) {
        segment_builder_add_function(&builder, i == 0 ? "a" : i == 1 ? "b" : "c", "prog");
        segment_builder_add_series(&builder, &(struct segment_builder_series){.function = i, .is_from_glob = 1});
    }
    segment_builder_cell(&builder, 1, 1)[CELL_STARTED] = 1;
    segment_builder_cell(&builder, 1, 2)[CELL_ABANDONED + ABANDONED_EXEC] = 1;
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_int_equal(snapshot.series_count, 2);
    assert_string_equal(snapshot.series[0].function, "b");
    assert_int_equal(snapshot.series[0].active.value, 1);
    assert_string_equal(snapshot.series[1].function, "c");
    assert_int_equal(snapshot.series[1].active.value, 0); /* never negative */
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

static void counted_functions_have_no_duration(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "entry", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.has_no_duration = 1});
    segment_builder_cell(&builder, 0, 0)[CELL_SUCCESS] = 9;
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_false(snapshot.series[0].durations.is_shown);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 9);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

/* In doubles the sum of 64-bit sums does not wrap. */
static void huge_sums_do_not_wrap(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = 4});
    segment_builder_add_function(&builder, "sleep", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){0});
    for (uint32_t block = 0; block < 4; block++)
        segment_builder_cell(&builder, block, 0)[CELL_SUM_TICKS] = UINT64_C(1) << 63;
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    assert_double(snapshot.series[0].durations.sum_seconds, 0x1p65 * 1e-9);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

struct damage {
    const char *name;
    void (*damage)(struct segment_builder *builder);
    int error;
    size_t series_count;
    bool has_no_texts; /* none is read beyond the end of all */
};

static void damage_magic(struct segment_builder *builder)
{
    builder->segment->magic++;
}
static void damage_version(struct segment_builder *builder)
{
    builder->segment->version++;
}
static void damage_size(struct segment_builder *builder)
{
    builder->segment->segment_bytes = 64;
}
static void damage_series_table(struct segment_builder *builder)
{
    builder->segment->series_capacity = UINT32_MAX;
}
static void damage_blocks(struct segment_builder *builder)
{
    builder->segment->blocks = UINT64_MAX - 7;
}
static void damage_block_bytes(struct segment_builder *builder)
{
    builder->segment->block_bytes = UINT64_MAX - 7;
}
static void damage_series_count(struct segment_builder *builder)
{
    builder->segment->series_count = UINT32_MAX; /* cut to the capacity; zeroed entries are no series */
}
static void damage_block_count(struct segment_builder *builder)
{
    builder->segment->block_count = UINT32_MAX;
}
static void damage_cell(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->cell = builder->segment->block_bytes - 64;
}
static void damage_cell_far(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->cell = UINT64_MAX - 7;
}
static void damage_buckets(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->bucket_count = UINT32_MAX;
}
static void damage_bounds(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->bounds = builder->segment->segment_bytes - 8;
}
static void damage_function(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->function = 1;
}
static void damage_texts(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->kind = UINT64_MAX;
    segment_builder_series(builder, 0)->labels = 3;
    segment_builder_function(builder, 0)->name = builder->segment->segment_bytes;
    builder->segment->namespace_ = UINT64_MAX / 2;
    builder->segment->constant_labels = builder->segment->text - 1;
}
static void damage_text_end(struct segment_builder *builder)
{
    struct segment_header *segment = builder->segment;

    memset((char *)segment + segment->text + segment->text_bytes - 8, 'x', 8);
    segment_builder_function(builder, 0)->name = segment->text + segment->text_bytes - 4;
    segment->namespace_ = segment->text + segment->text_bytes - 1;
    segment_builder_series(builder, 0)->labels = segment->text + segment->text_bytes - 8;
}
static void damage_labels(struct segment_builder *builder)
{
    segment_builder_series(builder, 0)->labels = segment_builder_add_text(builder, "name\0", 6);
    memset((char *)builder->segment + builder->segment->text + builder->segment->text_used, 'x',
           builder->segment->text_bytes - builder->segment->text_used);
}
static void damage_state(struct segment_builder *builder)
{
    segment_builder_function(builder, 0)->state = 17;
}

static const struct damage damages[] = {
    {"magic", damage_magic, -EINVAL, 0, false},
    {"version", damage_version, -EINVAL, 0, false},
    {"size", damage_size, -EINVAL, 0, false},
    {"series table", damage_series_table, -EINVAL, 0, false},
    {"blocks", damage_blocks, -EINVAL, 0, false},
    {"block bytes", damage_block_bytes, -EINVAL, 0, false},
    {"series count", damage_series_count, 0, 1, false},
    {"block count", damage_block_count, 0, 1, false},
    {"cell", damage_cell, 0, 0, false},
    {"far cell", damage_cell_far, 0, 0, false},
    {"buckets", damage_buckets, 0, 0, false},
    {"bounds", damage_bounds, 0, 0, false},
    {"function", damage_function, 0, 0, false},
    {"texts", damage_texts, 0, 1, true},
    {"text end", damage_text_end, 0, 1, true},
    {"labels", damage_labels, 0, 1, false},
    {"state", damage_state, 0, 1, false},
};

static void what_points_outside_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        struct segment_builder builder;
        struct snapshot snapshot;
        uint64_t bytes;
        int error;

        segment_builder_init(&builder, &(struct segment_builder_options){0});
        segment_builder_add_function(&builder, "f", "prog");
        segment_builder_add_series(
            &builder, &(struct segment_builder_series){.bounds = two_bounds, .bucket_count = 2, .labels = "a\0b\0"});
        bytes = builder.segment->segment_bytes;
        damages[i].damage(&builder);
        error = snapshot_take(builder.segment, bytes, NULL, &snapshot);
        if (error != damages[i].error || (!error && snapshot.series_count != damages[i].series_count))
            fail_msg("%s: %d, %zu series", damages[i].name, error, error ? 0 : snapshot.series_count);
        if (damages[i].has_no_texts &&
            (*snapshot.series[0].function || *snapshot.series[0].labels || *snapshot.namespace_))
            fail_msg("%s: \"%s\", \"%s\"", damages[i].name, snapshot.series[0].function, snapshot.series[0].labels);
        if (!error)
            snapshot_finish(&snapshot);
        munmap(builder.segment, bytes);
    }
}

static size_t resident_pages(const struct segment_builder *builder)
{
    static unsigned char pages[1 << 20];
    size_t count = 0;

    assert_true(builder->segment->segment_bytes / 4096 < sizeof(pages));
    assert_int_equal(mincore(builder->segment, builder->segment->segment_bytes, pages), 0);
    for (size_t i = 0; i < builder->segment->segment_bytes / 4096; i++)
        count += pages[i] & 1;
    return count;
}

/* 50 threads of a program with 10 000 functions, each of which called a few: 125 MB, if every page were made. */
static void reading_makes_no_pages(void **state)
{
    enum {
        FUNCTIONS = 10000,
        BLOCKS = 50
    };
    struct segment_builder builder;
    struct snapshot snapshot;
    size_t before;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.functions = FUNCTIONS,
                                                                     .series = FUNCTIONS,
                                                                     .blocks = BLOCKS,
                                                                     .block_bytes = FUNCTIONS * 256 / 4096 * 4096});
    for (uint32_t i = 0; i < FUNCTIONS - 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", i);
        segment_builder_add_function(&builder, name, "prog");
        segment_builder_add_series(&builder, &(struct segment_builder_series){.function = i, .bucket_count = 0});
    }
    for (uint32_t block = 0; block < BLOCKS; block++)
        segment_builder_cell(&builder, block, block * 190)[CELL_SUCCESS] = 1;
    before = resident_pages(&builder);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
        assert_int_equal(snapshot.series_count, FUNCTIONS - 100);
        for (uint32_t block = 0; block < BLOCKS; block++)
            assert_int_equal(snapshot.series[block * 190].outcomes[OUTCOME_SUCCESS], 1);
        snapshot_finish(&snapshot);
    }
    assert_int_equal(resident_pages(&builder), before);
    segment_builder_finish(&builder);
}

struct hammer {
    struct segment_builder *builder;
    uint32_t block;
    atomic_bool is_over;
};

static void bump(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, *word + value, __ATOMIC_RELEASE);
}

/* Counts as the trampolines do: the start first, then the outcome, the sum and the bucket. One call stays in progress.
 */
static void *hammer(void *context)
{
    struct hammer *hammer = context;
    uint64_t *cell = segment_builder_cell(hammer->builder, hammer->block, 0);

    for (unsigned i = 0; !atomic_load(&hammer->is_over); i++) {
        bump(&cell[CELL_STARTED], 1);
        bump(&cell[i % 7 == 0 ? CELL_ERROR : i % 11 == 0 ? CELL_ABANDONED + 1 : CELL_SUCCESS], 1);
        bump(&cell[CELL_SUM_TICKS], i % 3);
        bump(&cell[CELL_BUCKETS + i % 3], 1);
    }
    return NULL;
}

static uint64_t finished(const struct snapshot_series *series)
{
    uint64_t total = 0;

    for (int i = 0; i < SNAPSHOT_OUTCOMES; i++)
        total += series->outcomes[i];
    return total;
}

/* What a scrape must never show: fewer calls in progress than there surely are (an end was read after its start), or a
 * counter that goes down. */
static void a_snapshot_agrees_with_itself_while_threads_write(void **state)
{
    enum {
        THREADS = 2,
        SNAPSHOTS = 3000
    };
    struct segment_builder builder;
    struct hammer hammers[THREADS];
    pthread_t threads[THREADS];
    uint64_t finished_before = 0;
    uint64_t count_before = 0;
    double sum_before = 0;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = THREADS});
    segment_builder_add_function(&builder, "hot", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = two_bounds, .bucket_count = 2});
    for (uint32_t i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.builder = &builder, .block = i};
        segment_builder_cell(&builder, i, 0)[CELL_STARTED] = 1;
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        struct snapshot snapshot;
        const struct snapshot_series *series;

        assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
        series = &snapshot.series[0];
        assert_true(finished(series) >= finished_before);
        assert_true(series->durations.count >= count_before);
        assert_true(series->durations.sum_seconds >= sum_before);
        assert_int_equal(series->durations.count,
                         series->durations.buckets[0] + series->durations.buckets[1] + series->durations.buckets[2]);
        assert_true(series->active.value >= THREADS);
        finished_before = finished(series);
        count_before = series->durations.count;
        sum_before = series->durations.sum_seconds;
        snapshot_finish(&snapshot);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        atomic_store(&hammers[i].is_over, true);
        pthread_join(threads[i], NULL);
    }
    segment_builder_finish(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_segment_has_no_series),
        cmocka_unit_test(counters_are_summed_over_all_blocks),
        cmocka_unit_test(cells_that_cross_a_page_are_read_whole),
        cmocka_unit_test(two_series_may_share_a_cell),
        cmocka_unit_test(equal_labels_become_one_series),
        cmocka_unit_test(functions_differ_by_each_of_their_texts),
        cmocka_unit_test(equal_labels_with_other_bounds_are_no_histogram),
        cmocka_unit_test(a_globs_series_appears_with_its_first_call),
        cmocka_unit_test(counted_functions_have_no_duration),
        cmocka_unit_test(huge_sums_do_not_wrap),
        cmocka_unit_test(what_points_outside_is_left_out),
        cmocka_unit_test(reading_makes_no_pages),
        cmocka_unit_test(a_snapshot_agrees_with_itself_while_threads_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
