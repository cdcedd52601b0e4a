/* Segments in plain memory for the tests of server/. */
#include "tests/unit/segment_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void check(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "segment_builder: %s\n", what);
    abort();
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static size_t pair_bytes(const char *pair)
{
    size_t name_bytes = strlen(pair) + 1;

    return name_bytes + strlen(pair + name_bytes) + 1;
}

static size_t labels_bytes(const char *labels)
{
    const char *end = labels;

    while (*end)
        end += pair_bytes(end);
    return (size_t)(end - labels) + 1;
}

/* The first value of a map may be empty. */
static size_t map_bytes(const char *map)
{
    return pair_bytes(map) + labels_bytes(map + pair_bytes(map));
}

void segment_builder_init(struct segment_builder *builder, const struct segment_builder_options *options)
{
    struct segment_header header = {
        .magic = SEGMENT_MAGIC,
        .version = SEGMENT_VERSION,
        .header_bytes = sizeof(header),
        .seconds_per_tick = 1e-9,
        .function_capacity = options->functions ? options->functions : 16,
        .series_capacity = options->series ? options->series : 16,
        .block_capacity = options->blocks ? options->blocks : 1,
        .block_bytes = options->block_bytes ? options->block_bytes : 8192,
    };

    for (const int *signal = options->signals; signal && *signal; signal++)
        header.signals[header.signal_count++] = (uint32_t)*signal;
    header.block_count = header.block_capacity;
    header.functions = sizeof(header);
    header.series = header.functions + header.function_capacity * sizeof(struct segment_function);
    header.resource_count = options->resources;
    header.resources = header.series + header.series_capacity * sizeof(struct segment_series);
    header.panics = header.resources + header.resource_count * sizeof(struct segment_resource);
    header.recovered = header.panics + (header.function_capacity + 1) * SEGMENT_SIGNALS_MAX * sizeof(uint64_t);
    header.text = header.recovered + header.function_capacity * sizeof(uint64_t);
    header.text_bytes = 65536 + 256 * (uint64_t)header.series_capacity + round_up(options->table_bytes, 8);
    header.owners = round_up(header.text + header.text_bytes, 8);
    header.blocks = round_up(header.owners + 8 * (uint64_t)header.block_capacity, 4096);
    header.segment_bytes = header.blocks + header.block_capacity * header.block_bytes;
    builder->segment = mmap(NULL, header.segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(builder->segment != MAP_FAILED, "no memory");
    *builder->segment = header;
    builder->next_cell = SEGMENT_BLOCK_HEADER_BYTES;
    if (options->namespace_)
        builder->segment->namespace_ = segment_builder_add_text(builder, options->namespace_, 0);
    else
        builder->segment->namespace_ = segment_builder_add_text(builder, "callmeter", 0);
    if (options->constant_labels)
        builder->segment->constant_labels =
            segment_builder_add_text(builder, options->constant_labels, labels_bytes(options->constant_labels));
}

uint64_t segment_builder_add_text(struct segment_builder *builder, const char *text, size_t bytes)
{
    struct segment_header *segment = builder->segment;
    uint64_t offset = segment->text + segment->text_used;

    if (!bytes)
        bytes = strlen(text) + 1;
    check(bytes <= segment->text_bytes - segment->text_used, "text arena is full");
    memcpy((char *)segment + offset, text, bytes);
    segment->text_used += round_up(bytes, 8);
    return offset;
}

struct segment_function *segment_builder_function(struct segment_builder *builder, uint32_t function)
{
    return (struct segment_function *)(void *)((char *)builder->segment + builder->segment->functions) + function;
}

struct segment_series *segment_builder_series(struct segment_builder *builder, uint32_t series)
{
    return (struct segment_series *)(void *)((char *)builder->segment + builder->segment->series) + series;
}

struct segment_resource *segment_builder_resource(struct segment_builder *builder, uint32_t resource)
{
    return (struct segment_resource *)(void *)((char *)builder->segment + builder->segment->resources) + resource;
}

uint64_t *segment_builder_panics(struct segment_builder *builder, uint32_t function)
{
    return (uint64_t *)(void *)((char *)builder->segment + builder->segment->panics) + function * SEGMENT_SIGNALS_MAX;
}

uint64_t *segment_builder_recovered(struct segment_builder *builder, uint32_t function)
{
    return (uint64_t *)(void *)((char *)builder->segment + builder->segment->recovered) + function;
}

static uint64_t *cell_at(struct segment_builder *builder, uint32_t block, uint64_t cell)
{
    const struct segment_header *segment = builder->segment;

    return (void *)((char *)builder->segment + segment->blocks + block * segment->block_bytes + cell);
}

uint64_t *segment_builder_place(struct segment_builder *builder, uint32_t block, uint32_t series, uint32_t place)
{
    const struct segment_series *source = segment_builder_series(builder, series);

    return cell_at(builder, block, source->cell + place * segment_cell_bytes(source->cell_words));
}

uint64_t *segment_builder_entry(struct segment_builder *builder, uint32_t block, uint32_t series, uint32_t place)
{
    const struct segment_series *source = segment_builder_series(builder, series);

    return cell_at(builder, block, source->entry_cell + place * segment_cell_bytes(source->cell_words));
}

uint64_t *segment_builder_cell(struct segment_builder *builder, uint32_t block, uint32_t series)
{
    return segment_builder_place(builder, block, series, 0);
}

/* Zeroed bytes in the arena. */
static uint64_t add_table(struct segment_builder *builder, uint64_t bytes)
{
    struct segment_header *segment = builder->segment;
    uint64_t offset = segment->text + segment->text_used;

    check(bytes <= segment->text_bytes - segment->text_used, "text arena is full");
    segment->text_used += round_up(bytes, 8);
    return offset;
}

static void *at(struct segment_builder *builder, uint64_t offset)
{
    return (char *)builder->segment + offset;
}

uint64_t segment_builder_add_values(struct segment_builder *builder, const struct segment_builder_label *labels,
                                    uint32_t label_count, uint32_t capacity)
{
    uint64_t offset = add_table(builder, sizeof(struct segment_values));
    struct segment_values *values = at(builder, offset);
    struct segment_value *value;

    values->capacity = capacity;
    values->value_count = label_count;
    values->values = add_table(builder, label_count * sizeof(struct segment_value));
    value = at(builder, values->values);
    for (uint32_t i = 0; i < label_count; i++) {
        value[i].name = segment_builder_add_text(builder, labels[i].name, 0);
        value[i].map = labels[i].map ? segment_builder_add_text(builder, labels[i].map, map_bytes(labels[i].map)) : 0;
        value[i].type = labels[i].type;
        value[i].key_offset = values->key_bytes;
        values->key_bytes +=
            labels[i].type == SEGMENT_VALUE_STRING ? SEGMENT_STRING_FIELD_BYTES : SEGMENT_SCALAR_FIELD_BYTES;
    }
    values->keys = add_table(builder, (uint64_t)values->key_bytes * capacity);
    return offset;
}

uint32_t segment_builder_add_tuple(struct segment_builder *builder, uint64_t offset,
                                   const struct segment_builder_value *tuple)
{
    struct segment_values *values = at(builder, offset);
    const struct segment_value *value = at(builder, values->values);
    char *key = at(builder, values->keys + (uint64_t)values->count * values->key_bytes);

    check(values->count < values->capacity, "too many tuples");
    for (uint32_t i = 0; i < values->value_count; i++) {
        uint64_t *field = (void *)(key + value[i].key_offset);

        field[0] = sizeof(uint64_t);
        if (tuple[i].is_invalid) {
            field[0] = SEGMENT_VALUE_INVALID;
        } else if (value[i].type == SEGMENT_VALUE_STRING) {
            field[0] = strlen(tuple[i].text);
            check(field[0] <= SEGMENT_STRING_BYTES, "the string is too long");
            memcpy(field + 1, tuple[i].text, field[0]);
        } else {
            field[1] = tuple[i].word;
        }
    }
    return values->count++;
}

uint32_t segment_builder_add_function(struct segment_builder *builder, const char *name, const char *module)
{
    uint32_t index = builder->segment->function_count++;
    struct segment_function *function = segment_builder_function(builder, index);

    check(index < builder->segment->function_capacity, "too many functions");
    function->name = segment_builder_add_text(builder, name, 0);
    function->module = segment_builder_add_text(builder, module, 0);
    function->symbol = function->name;
    function->reason = segment_builder_add_text(builder, "", 0);
    function->state = SEGMENT_FULL;
    return index;
}

static uint32_t take_words(struct segment_series *series, bool is_taken, uint32_t count)
{
    uint32_t word = series->cell_words;

    if (!is_taken)
        return 0;
    series->cell_words += count;
    return word;
}

static uint32_t capacity_of(struct segment_builder *builder, uint64_t values)
{
    return values ? ((struct segment_values *)at(builder, values))->capacity : 0;
}

static void lay_out_words(struct segment_builder *builder, const struct segment_builder_series *source,
                          struct segment_series *series)
{
    series->cell_words = CELL_BUCKETS + source->bucket_count + 1;
    series->skipped_word = take_words(series, source->has_skipped, 1);
    series->items_word = take_words(series, source->has_items, 1);
    series->interval_word = take_words(series, source->has_interval, source->bucket_count + 2);
    series->error_count =
        source->error_values ? capacity_of(builder, source->error_values) + 1 : (uint32_t)SEGMENT_ERRNO_WORDS;
    series->errors_word = take_words(series, source->has_errors, series->error_count);
    series->summed_words = series->cell_words;
    series->last_start_word = take_words(series, source->has_last_start, 1);
    series->last_success_word = take_words(series, source->has_last_success, 1);
    series->last_finish_word = take_words(series, source->is_health_check, 1);
}

static uint64_t take_cells(struct segment_builder *builder, const struct segment_series *series, uint64_t values)
{
    uint64_t cell = builder->next_cell;

    builder->next_cell += segment_cell_bytes(series->cell_words) * ((uint64_t)capacity_of(builder, values) + 1);
    check(builder->next_cell <= builder->segment->block_bytes, "block is full");
    return cell;
}

static uint64_t add_sampling(struct segment_builder *builder, double interval)
{
    uint64_t offset = add_table(builder, sizeof(struct segment_sampling));
    struct segment_sampling *sampling = at(builder, offset);

    sampling->interval = (uint64_t)(interval * 0x1p32);
    return offset;
}

uint32_t segment_builder_add_series(struct segment_builder *builder, const struct segment_builder_series *source)
{
    uint32_t index = builder->segment->series_count++;
    struct segment_series *series = segment_builder_series(builder, index);

    check(index < builder->segment->series_capacity, "too many series");
    series->function = source->function;
    series->kind = segment_builder_add_text(builder, source->kind ? source->kind : "function", 0);
    if (source->labels)
        series->labels = segment_builder_add_text(builder, source->labels, labels_bytes(source->labels));
    series->bucket_count = source->bucket_count;
    if (source->bucket_count)
        series->bounds =
            segment_builder_add_text(builder, (const void *)source->bounds, source->bucket_count * sizeof(double));
    series->is_from_glob = source->is_from_glob;
    series->has_no_duration = source->has_no_duration;
    series->is_health_check = source->is_health_check;
    series->values = source->values;
    series->error_values = source->error_values;
    series->entry_values = source->entry_values;
    lay_out_words(builder, source, series);
    series->cell = source->shared_cell ? source->shared_cell - 1 : take_cells(builder, series, source->values);
    if (source->has_entry) {
        series->entry_cells = capacity_of(builder, source->entry_values) + 1;
        series->entry_cell = take_cells(builder, series, source->entry_values);
    }
    if (source->sample_interval > 0)
        series->sampling = add_sampling(builder, source->sample_interval);
    return index;
}

void segment_builder_finish(struct segment_builder *builder)
{
    munmap(builder->segment, builder->segment->segment_bytes);
}
