/* Segments that are damaged, and large ones: what reaches outside is left out, what is not in use is not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const double two_bounds[] = {0.001, 0.1};
static const struct segment_builder_label table_label[] = {{"table", SEGMENT_VALUE_STRING, NULL}};

static void take(struct segment_builder *builder, struct snapshot *ret_snapshot)
{
    assert_int_equal(snapshot_take(builder->segment, builder->segment->segment_bytes, NULL, ret_snapshot), 0);
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

/* Limits ----------------------------------------------------------------------------------------------------------- */

/* Where a number lies that is held against a limit. */
enum part {
    PART_HEADER, /* without it there is no segment at all */
    PART_SERIES, /* of "query", which has everything */
    PART_PLAIN,  /* of "sound", which has nothing */
    PART_VALUES, /* the tuples of "query" */
    PART_LABEL,  /* their label */
};

struct limit {
    const char *name;
    enum part part;
    size_t offset;
    size_t bytes;
    uint64_t last_allowed;
    uint64_t first_refused;
};

#define LIMIT(part, type, member, allowed, refused)                                                                    \
    {                                                                                                                  \
#type "." #member, part, offsetof(struct type, member), sizeof(((struct type *)0)->member), allowed, refused   \
    }
#define OF_HEADER(member, allowed, refused) LIMIT(PART_HEADER, segment_header, member, allowed, refused)
#define OF_SERIES(member, allowed, refused) LIMIT(PART_SERIES, segment_series, member, allowed, refused)
#define OF_PLAIN(member, allowed, refused)  LIMIT(PART_PLAIN, segment_series, member, allowed, refused)
#define OF_VALUES(member, allowed, refused) LIMIT(PART_VALUES, segment_values, member, allowed, refused)
#define OF_LABEL(member, allowed, refused)  LIMIT(PART_LABEL, segment_value, member, allowed, refused)

static void *part_of(struct segment_builder *builder, enum part part)
{
    struct segment_values *values = (void *)((char *)builder->segment + segment_builder_series(builder, 0)->values);

    switch (part) {
    case PART_HEADER:
        return builder->segment;
    case PART_SERIES:
        return segment_builder_series(builder, 0);
    case PART_PLAIN:
        return segment_builder_series(builder, 1);
    case PART_VALUES:
        return values;
    default:
        return (char *)builder->segment + values->values;
    }
}

/* A mapping with so much room behind it that no fault tells of what reaches outside. */
static int take_with_room(const struct segment_builder *builder, uint64_t mapping_bytes, struct snapshot *ret_snapshot,
                          void **ret_memory)
{
    enum {
        ROOM_BYTES = 1 << 24
    };
    void *memory = mmap(NULL, mapping_bytes + ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    memcpy(memory, builder->segment, mapping_bytes);
    *ret_memory = memory;
    return snapshot_take(memory, mapping_bytes, NULL, ret_snapshot);
}

static bool has_series(const struct snapshot *snapshot, const char *function)
{
    for (size_t i = 0; i < snapshot->series_count; i++)
        if (strcmp(snapshot->series[i].function, function) == 0)
            return true;
    return false;
}

/* Is the part shown if the number is this one? */
static bool is_taken_with(const struct limit *limit, uint64_t value)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    uint64_t mapping_bytes;
    bool is_taken;
    void *memory;

    build_damaged(&builder);
    mapping_bytes = builder.segment->segment_bytes;
    memcpy((char *)part_of(&builder, limit->part) + limit->offset, &value, limit->bytes);
    is_taken = take_with_room(&builder, mapping_bytes, &snapshot, &memory) == 0;
    if (is_taken) {
        if (limit->part != PART_HEADER)
            is_taken = has_series(&snapshot, limit->part == PART_PLAIN ? "sound" : "query");
        snapshot_finish(&snapshot);
    }
    munmap(memory, mapping_bytes);
    builder.segment->segment_bytes = mapping_bytes;
    segment_builder_finish(&builder);
    return is_taken;
}

static void assert_limits(const struct limit *limits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_taken_with(&limits[i], limits[i].last_allowed))
            fail_msg("%s: %#llx is refused", limits[i].name, (unsigned long long)limits[i].last_allowed);
        if (is_taken_with(&limits[i], limits[i].first_refused))
            fail_msg("%s: %#llx is taken", limits[i].name, (unsigned long long)limits[i].first_refused);
    }
}

static void what_a_header_says_ends_at_its_limits(void **state)
{
    struct segment_builder sound;
    const struct segment_header *is;

    (void)state;
    build_damaged(&sound);
    is = sound.segment;
    const struct limit limits[] = {
        OF_HEADER(magic, SEGMENT_MAGIC, SEGMENT_MAGIC + 1),
        OF_HEADER(version, SEGMENT_VERSION, SEGMENT_VERSION + 1),
        OF_HEADER(header_bytes, sizeof(*is), sizeof(*is) - 8),
        OF_HEADER(header_bytes, is->segment_bytes, is->segment_bytes + 8),
        OF_HEADER(segment_bytes, is->segment_bytes, is->segment_bytes + 8),
        OF_HEADER(segment_bytes, is->segment_bytes, is->segment_bytes - 8),
        OF_HEADER(functions, is->blocks - is->function_capacity * sizeof(struct segment_function),
                  is->blocks - is->function_capacity * sizeof(struct segment_function) + 8),
        OF_HEADER(functions, is->functions, is->functions + 4),
        OF_HEADER(function_capacity, (is->blocks - is->functions) / sizeof(struct segment_function),
                  (is->blocks - is->functions) / sizeof(struct segment_function) + 1),
        OF_HEADER(series, is->blocks - is->series_capacity * sizeof(struct segment_series),
                  is->blocks - is->series_capacity * sizeof(struct segment_series) + 8),
        OF_HEADER(series_capacity, (is->blocks - is->series) / sizeof(struct segment_series),
                  (is->blocks - is->series) / sizeof(struct segment_series) + 1),
        OF_HEADER(resources, is->blocks, is->blocks + 8),
        OF_HEADER(resource_count, (is->blocks - is->resources) / sizeof(struct segment_resource),
                  (is->blocks - is->resources) / sizeof(struct segment_resource) + 1),
        OF_HEADER(text, is->blocks - is->text_bytes, is->blocks - is->text_bytes + 1),
        OF_HEADER(text_bytes, is->blocks - is->text, is->blocks - is->text + 1),
        OF_HEADER(blocks, is->blocks, is->blocks + 8),
        OF_HEADER(block_bytes, is->block_bytes, is->block_bytes + 8),
        OF_HEADER(block_bytes, is->block_bytes - 8, is->block_bytes - 4),
        OF_HEADER(block_capacity, is->block_capacity, is->block_capacity + 1),
    };

    assert_limits(limits, sizeof(limits) / sizeof(*limits));
    segment_builder_finish(&sound);
}

static void what_a_series_says_ends_at_its_limits(void **state)
{
    struct segment_builder sound;
    const struct segment_header *header;
    const struct segment_series *is;
    const struct segment_values *values;
    uint64_t cells_bytes;

    (void)state;
    build_damaged(&sound);
    header = sound.segment;
    is = segment_builder_series(&sound, 0);
    values = part_of(&sound, PART_VALUES);
    cells_bytes = 6 * segment_cell_bytes(is->cell_words);
    const struct limit limits[] = {
        OF_PLAIN(bucket_count, 0, 1),
        OF_PLAIN(cell_words, CELL_BUCKETS + 1, CELL_BUCKETS),
        OF_PLAIN(summed_words, CELL_BUCKETS + 1, CELL_BUCKETS),
        OF_PLAIN(function, 1, 2),
        OF_PLAIN(cell, header->block_bytes - 128, header->block_bytes - 120),
        OF_PLAIN(cell, SEGMENT_BLOCK_HEADER_BYTES, SEGMENT_BLOCK_HEADER_BYTES - 8),
        OF_SERIES(cell, header->block_bytes - cells_bytes, header->block_bytes - cells_bytes + 8),
        OF_SERIES(entry_cell, header->block_bytes - cells_bytes, header->block_bytes - cells_bytes + 8),
        OF_SERIES(entry_cell, SEGMENT_BLOCK_HEADER_BYTES, SEGMENT_BLOCK_HEADER_BYTES - 8),
        OF_SERIES(skipped_word, is->cell_words - 1, is->cell_words),
        OF_SERIES(items_word, is->cell_words - 1, is->cell_words),
        OF_SERIES(interval_word, is->cell_words - 4, is->cell_words - 3),
        OF_SERIES(errors_word, is->cell_words - 6, is->cell_words - 5),
        OF_SERIES(error_count, 6, 5),
        OF_SERIES(error_count, 6, 7),
        OF_SERIES(last_start_word, is->cell_words - 1, is->cell_words),
        OF_SERIES(last_success_word, is->cell_words - 1, is->cell_words),
        OF_SERIES(last_finish_word, is->cell_words - 1, is->cell_words),
        OF_SERIES(bounds, header->blocks - 16, header->blocks - 8),
        OF_SERIES(bounds, is->bounds, is->bounds + 4),
        OF_SERIES(sampling, header->blocks - 16, header->blocks - 8),
        OF_SERIES(values, header->blocks - sizeof(*values), header->blocks - sizeof(*values) + 8),
        OF_SERIES(entry_values, header->blocks - sizeof(*values), header->blocks - sizeof(*values) + 8),
        OF_VALUES(capacity, 5, 4),
        OF_VALUES(capacity, 5, 6),
        OF_VALUES(key_bytes, SEGMENT_STRING_FIELD_BYTES, SEGMENT_STRING_FIELD_BYTES - 8),
        OF_VALUES(key_bytes, SEGMENT_STRING_FIELD_BYTES + 8, SEGMENT_STRING_FIELD_BYTES + 4),
        OF_VALUES(keys, header->blocks - UINT64_C(5) * values->key_bytes,
                  header->blocks - UINT64_C(5) * values->key_bytes + 8),
        OF_VALUES(values, header->blocks - sizeof(struct segment_value),
                  header->blocks - sizeof(struct segment_value) + 8),
        OF_LABEL(type, SEGMENT_VALUE_TYPES - 1, SEGMENT_VALUE_TYPES),
        OF_LABEL(key_offset, 0, 8),
    };

    assert_limits(limits, sizeof(limits) / sizeof(*limits));
    segment_builder_finish(&sound);
}

/* The length of a cell, the number of buckets and that of labels, each by itself. */
static void numbers_have_limits_of_their_own(void **state)
{
    enum {
        WORDS_MAX = 1 << 20,
        BUCKETS_MAX = 1 << 16,
        LABELS_MAX = 64,
    };
    static const struct {
        uint32_t cell_words;
        uint32_t bucket_count;
        uint32_t label_count;
        bool is_taken;
    } cases[] = {
        {WORDS_MAX, 0, 1, true},           {WORDS_MAX + 1, 0, 1, false},
        {WORDS_MAX, BUCKETS_MAX, 1, true}, {WORDS_MAX, BUCKETS_MAX + 1, 1, false},
        {WORDS_MAX, 0, LABELS_MAX, true},  {WORDS_MAX, 0, LABELS_MAX + 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct segment_builder builder;
        struct segment_series *series;
        struct snapshot snapshot;
        struct segment_values *values;
        uint64_t offset;

        segment_builder_init(&builder, &(struct segment_builder_options){.block_bytes = UINT64_C(48) << 20,
                                                                         .table_bytes = UINT64_C(2) << 20});
        segment_builder_add_function(&builder, "query", "prog");
        offset = segment_builder_add_values(&builder, table_label, 1, 2);
        values = (void *)((char *)builder.segment + offset);
        /* As many equal labels, and room for a bound each. */
        values->values = segment_builder_add_text(&builder, (const char *)builder.segment, 4096);
        for (uint32_t label = 0; label <= LABELS_MAX; label++)
            ((struct segment_value *)(void *)((char *)builder.segment + values->values))[label] =
                (struct segment_value){.type = SEGMENT_VALUE_STRING};
        segment_builder_add_series(&builder, &(struct segment_builder_series){.values = offset});
        series = segment_builder_series(&builder, 0);
        add_table(&builder, offset, "users");
        values->value_count = cases[i].label_count;
        series->cell_words = series->summed_words = cases[i].cell_words;
        series->bucket_count = cases[i].bucket_count;
        series->bounds = builder.segment->text;
        segment_builder_place(&builder, 0, 0, 0)[CELL_SUCCESS] = 1;
        take(&builder, &snapshot);
        if (snapshot.series_count != cases[i].is_taken)
            fail_msg("case %zu: %zu series", i, snapshot.series_count);
        end(&builder, &snapshot);
    }
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

/* A process maps what another one has claimed without any right; blocks that nobody claimed stay so. */
static void claimed_blocks_are_opened(void **state)
{
    struct segment_builder builder;
    struct snapshot snapshot;
    struct rlimit no_core = {0};
    char *blocks;
    pid_t child;
    int status;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.blocks = 3});
    segment_builder_add_function(&builder, "query", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){0});
    segment_builder_cell(&builder, 0, 0)[CELL_SUCCESS] = 1;
    segment_builder_cell(&builder, 1, 0)[CELL_SUCCESS] = 2;
    segment_builder_cell(&builder, 2, 0)[CELL_SUCCESS] = 4;
    builder.segment->block_count = 2;
    blocks = (char *)builder.segment + builder.segment->blocks;
    assert_int_equal(mprotect(blocks, 3 * builder.segment->block_bytes, PROT_NONE), 0);
    take(&builder, &snapshot);
    assert_int_equal(snapshot.series[0].outcomes[OUTCOME_SUCCESS], 3);
    child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL);
        _exit(*(volatile char *)(blocks + 2 * builder.segment->block_bytes));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
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
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), -EFBIG);
    segment_builder_finish(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_that_reach_outside_are_left_out),
        cmocka_unit_test(what_a_header_says_ends_at_its_limits),
        cmocka_unit_test(what_a_series_says_ends_at_its_limits),
        cmocka_unit_test(numbers_have_limits_of_their_own),
        cmocka_unit_test(tables_of_values_that_reach_outside_are_left_out),
        cmocka_unit_test(half_written_tables_are_read_as_far_as_they_go),
        cmocka_unit_test(places_that_are_not_in_use_make_no_pages),
        cmocka_unit_test(claimed_blocks_are_opened),
        cmocka_unit_test(more_places_than_can_be_shown_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
