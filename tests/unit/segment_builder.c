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

static size_t labels_bytes(const char *labels)
{
    const char *end = labels;

    while (*end)
        end += strlen(end) + 1;
    return (size_t)(end - labels) + 1;
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

    header.block_count = header.block_capacity;
    header.functions = sizeof(header);
    header.series = header.functions + header.function_capacity * sizeof(struct segment_function);
    header.text = header.series + header.series_capacity * sizeof(struct segment_series);
    header.text_bytes = 65536 + 256 * (uint64_t)header.series_capacity;
    header.owners = round_up(header.text + header.text_bytes, 8);
    header.blocks = round_up(header.owners + 8 * (uint64_t)header.block_capacity, 4096);
    header.segment_bytes = header.blocks + header.block_capacity * header.block_bytes;
    builder->segment = mmap(NULL, header.segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(builder->segment != MAP_FAILED, "no memory");
    *builder->segment = header;
    builder->next_cell = 0;
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

uint64_t *segment_builder_cell(struct segment_builder *builder, uint32_t block, uint32_t series)
{
    const struct segment_header *segment = builder->segment;
    uint64_t offset = segment->blocks + block * segment->block_bytes;

    return (void *)((char *)builder->segment + offset + segment_builder_series(builder, series)->cell);
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

uint32_t segment_builder_add_series(struct segment_builder *builder, const struct segment_builder_series *source)
{
    uint32_t index = builder->segment->series_count++;
    struct segment_series *series = segment_builder_series(builder, index);
    uint64_t cell_bytes = segment_cell_bytes(source->bucket_count);

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
    series->cell = source->shared_cell ? source->shared_cell - 1 : builder->next_cell;
    if (!source->shared_cell)
        builder->next_cell += cell_bytes;
    check(series->cell + cell_bytes <= builder->segment->block_bytes, "block is full");
    return index;
}

void segment_builder_finish(struct segment_builder *builder)
{
    munmap(builder->segment, builder->segment->segment_bytes);
}
