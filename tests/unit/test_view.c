/* Segments that are damaged, and large ones: what reaches outside is left out, what is not in use is not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const double two_bounds[] = {0.001, 0.1};
static const struct segment_builder_label table_label[] = {{"table", SEGMENT_VALUE_STRING, NULL}};

static void take(struct segment_builder *builder, struct snapshot *ret_snapshot)
{
    assert_int_equal(snapshot_take(builder->segment, NULL, ret_snapshot), 0);
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

/* A series with everything; each damage makes it one that is left out. */
static uint64_t build_damaged(struct segment_builder *builder)
{
    uint64_t values;

    segment_builder_init(builder, &(struct segment_builder_options){.blocks = 3, .block_bytes = 65536});
    segment_builder_add_function(builder, "query", "prog");
    segment_builder_add_function(builder, "sound", "prog");
    values = segment_builder_add_values(builder, table_label, 1, 5);
    segment_builder_add_series(builder, &(struct segment_builder_series){.bounds = two_bounds,
                                                                         .bucket_count = 2,
                                                                         .has_skipped = true,
                                                                         .has_items = true,
                                                                         .has_interval = true,
                                                                         .has_errors = true,
                                                                         .has_last_start = true,
                                                                         .has_last_success = true,
                                                                         .is_health_check = true,
                                                                         .has_entry = true,
                                                                         .sample_interval = 2,
                                                                         .values = values,
                                                                         .error_values = values,
                                                                         .entry_values = values});
    segment_builder_add_series(builder, &(struct segment_builder_series){.function = 1});
    add_table(builder, values, "users");
    segment_builder_place(builder, 0, 0, 0)[CELL_SUCCESS] = 1;
    return values;
}

/* Words of struct segment_series, and values that are one beyond what is right. */
#define WORD(member, value)                                                                                            \
    {                                                                                                                  \
#member, offsetof(struct segment_series, member), sizeof(((struct segment_series *)0)->member), value          \
    }

static void series_that_reach_outside_are_left_out(void **state)
{
    struct segment_builder sound;
    const struct segment_series *series;
    uint64_t cell_bytes;

    (void)state;
    build_damaged(&sound);
    series = segment_builder_series(&sound, 0);
    cell_bytes = segment_cell_bytes(series->cell_words);
    const struct {
        const char *member;
        size_t offset;
        size_t bytes;
        uint64_t value;
    } damages[] = {
        WORD(function, 2),
        WORD(bucket_count, series->bucket_count + 1000),
        WORD(bounds, sound.segment->blocks - 8),
        WORD(cell, 0),
        WORD(cell, sound.segment->block_bytes - 6 * cell_bytes + 64),
        WORD(cell_words, CELL_BUCKETS + 2),
        WORD(cell_words, UINT32_MAX),
        WORD(summed_words, CELL_BUCKETS + 2),
        WORD(skipped_word, series->cell_words),
        WORD(items_word, UINT32_MAX),
        WORD(interval_word, series->cell_words - 3),
        WORD(errors_word, series->cell_words - 5),
        WORD(error_count, 7),
        WORD(error_count, UINT32_MAX),
        WORD(last_start_word, series->cell_words),
        WORD(last_success_word, series->cell_words),
        WORD(last_finish_word, series->cell_words),
        WORD(sampling, sound.segment->blocks - 8),
        WORD(sampling, UINT64_MAX - 7),
        WORD(values, sound.segment->blocks - 32),
        WORD(values, series->values + 4),
        WORD(error_values, UINT64_MAX - 7),
        WORD(entry_values, sound.segment->segment_bytes),
        WORD(entry_cell, sound.segment->block_bytes - 6 * cell_bytes + 64),
    };

    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        struct segment_builder builder;
        struct snapshot snapshot;

        build_damaged(&builder);
        memcpy((char *)segment_builder_series(&builder, 0) + damages[i].offset, &damages[i].value, damages[i].bytes);
        take(&builder, &snapshot);
        if (snapshot.series_count != 1)
            fail_msg("%s: %zu series", damages[i].member, snapshot.series_count);
        assert_string_equal(snapshot.series[0].function, "sound");
        end(&builder, &snapshot);
    }
    segment_builder_finish(&sound);
}

static void damage_capacity(struct segment_values *values, struct segment_value *label)
{
    (void)label;
    values->capacity = UINT32_MAX;
}
static void damage_label_count(struct segment_values *values, struct segment_value *label)
{
    (void)label;
    values->value_count = 65;
}
static void damage_key_bytes(struct segment_values *values, struct segment_value *label)
{
    (void)label;
    values->key_bytes = SEGMENT_SCALAR_FIELD_BYTES;
}
static void damage_keys(struct segment_values *values, struct segment_value *label)
{
    (void)label;
    values->keys = UINT64_MAX - 7;
}
static void damage_labels(struct segment_values *values, struct segment_value *label)
{
    (void)label;
    values->values = UINT64_MAX - 7;
}
static void damage_type(struct segment_values *values, struct segment_value *label)
{
    (void)values;
    label->type = SEGMENT_VALUE_TYPES;
}
static void damage_key_offset(struct segment_values *values, struct segment_value *label)
{
    (void)values;
    label->key_offset = 8;
}

static void tables_of_values_that_reach_outside_are_left_out(void **state)
{
    static void (*const damages[])(struct segment_values *, struct segment_value *) = {
        damage_capacity, damage_label_count, damage_key_bytes, damage_keys,
        damage_labels,   damage_type,        damage_key_offset};

    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        struct segment_builder builder;
        struct snapshot snapshot;
        struct segment_values *values;
        uint64_t offset = build_damaged(&builder);

        values = (void *)((char *)builder.segment + offset);
        damages[i](values, (void *)((char *)builder.segment + values->values));
        take(&builder, &snapshot);
        if (snapshot.series_count != 1)
            fail_msg("damage %zu: %zu series", i, snapshot.series_count);
        end(&builder, &snapshot);
    }
}

/* A count beyond the capacity is cut; names and maps without an end are none. */
static void half_written_tables_are_read_as_far_as_they_go(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    struct segment_values *values;
    struct segment_value *label;
    uint64_t offset;

    (void)state;
    offset = build_damaged(&builder);
    values = (void *)((char *)builder.segment + offset);
    label = (void *)((char *)builder.segment + values->values);
    values->count = UINT32_MAX;
    label->map = builder.segment->text + builder.segment->text_bytes - 1;
    take(&builder, &snapshot);
    assert_memory_equal(snapshot.series[0].labels, "table\0users\0", 13);
    snapshot_finish(&snapshot);
    label->name = builder.segment->segment_bytes;
    take(&builder, &snapshot);
    assert_string_equal(snapshot.series[0].labels, "");
    end(&builder, &snapshot);
}

static size_t resident_pages(const struct segment_builder *builder)
{
    static unsigned char pages[1 << 17];
    size_t page_count = builder->segment->segment_bytes / 4096;
    size_t count = 0;

    assert_true(page_count <= sizeof(pages));
    assert_int_equal(mincore(builder->segment, page_count * 4096, pages), 0);
    for (size_t i = 0; i < page_count; i++)
        count += pages[i] & 1;
    return count;
}

static void places_that_are_not_in_use_make_no_pages(void **state)
{
    enum {
        CAPACITY = 100000
    };
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t values;
    size_t before;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = 20,
                                                                     .block_bytes = (CAPACITY + 64) * 128 / 4096 * 4096,
                                                                     .table_bytes = CAPACITY * 72});
    segment_builder_add_function(&builder, "query", "prog");
    values = segment_builder_add_values(&builder, table_label, 1, CAPACITY);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values});
    add_table(&builder, values, "users");
    add_table(&builder, values, "orders");
    segment_builder_place(&builder, 7, 0, 1)[CELL_SUCCESS] = 3;
    segment_builder_place(&builder, 9, 0, CAPACITY)[CELL_SUCCESS] = 4;
    before = resident_pages(&builder);
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series_count, 2);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 3);
    assert_int_equal(snapshot.series[1].outcomes[OUTCOME_SUCCESS], 4);
    assert_int_equal(resident_pages(&builder), before);
    end(&builder, &snapshot);
}

static void more_places_than_can_be_shown_are_refused(void **state)
{
    enum {
        CAPACITY = 1 << 20
    };
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t values;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.block_bytes = (CAPACITY + 32) * UINT64_C(128),
                                                                     .table_bytes = CAPACITY * UINT64_C(72)});
    segment_builder_add_function(&builder, "query", "prog");
    values = segment_builder_add_values(&builder, table_label, 1, CAPACITY);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values});
    ((struct segment_values *)(void *)((char *)builder.segment + values))->count = CAPACITY;
    assert_int_equal(snapshot_take(builder.segment, NULL, &snapshot), -EFBIG);
    segment_builder_finish(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_that_reach_outside_are_left_out),
        cmocka_unit_test(tables_of_values_that_reach_outside_are_left_out),
        cmocka_unit_test(half_written_tables_are_read_as_far_as_they_go),
        cmocka_unit_test(places_that_are_not_in_use_make_no_pages),
        cmocka_unit_test(more_places_than_can_be_shown_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
