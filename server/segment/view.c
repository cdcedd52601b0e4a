/* Reading the segment without trusting it. */
#include "server/segment/view.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/segment/copies.h"

enum {
    BUCKETS_MAX = 1 << 16,
    CELL_WORDS_MAX = 1 << 20,
    LABELS_MAX = 64,
};

static bool fits(uint64_t end, uint64_t offset, uint64_t count, uint64_t item_bytes)
{
    return offset % 8 == 0 && offset <= end && (!count || item_bytes <= (end - offset) / count);
}

/* Does a table lie before the blocks? Those are out of bounds, in part. */
static bool lies_inside(const struct segment_header *header, uint64_t offset, uint64_t count, uint64_t item_bytes)
{
    return fits(header->blocks, offset, count, item_bytes);
}

static uint32_t load_count(const uint32_t *count, uint32_t capacity)
{
    uint32_t value = __atomic_load_n(count, __ATOMIC_ACQUIRE);

    return value < capacity ? value : capacity;
}

static bool tables_lie_inside(const struct segment_header *header)
{
    return header->block_bytes % 8 == 0 &&
           fits(header->segment_bytes, header->blocks, header->block_capacity, header->block_bytes) &&
           header->text <= header->blocks && header->text_bytes <= header->blocks - header->text &&
           lies_inside(header, header->functions, header->function_capacity, sizeof(struct segment_function)) &&
           lies_inside(header, header->series, header->series_capacity, sizeof(struct segment_series)) &&
           lies_inside(header, header->resources, header->resource_count, sizeof(struct segment_resource));
}

/* Blocks that other processes claimed are out of bounds here still. A segment in plain memory (tests) has no such
 * pages. */
static int open_blocks(const struct view *view)
{
    char *blocks = (char *)view->segment + view->header.blocks;

    if ((uintptr_t)blocks % (uintptr_t)sysconf(_SC_PAGESIZE) != 0)
        return 0;
    return mprotect(blocks, view->block_count * view->header.block_bytes, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

/* The state comes last in the segment, so it is read first. */
static void read_function(const struct segment_function *source, struct segment_function *ret_function)
{
    uint32_t state = __atomic_load_n(&source->state, __ATOMIC_ACQUIRE);

    copies_read(ret_function, source, sizeof(*source));
    ret_function->state = state;
}

static int read_functions(struct view *view)
{
    const struct segment_function *source = (const void *)((const char *)view->segment + view->header.functions);
    struct segment_function *functions = copies_alloc(view->copies, view->function_count * sizeof(*functions));

    if (!functions)
        return -ENOMEM;
    for (uint32_t i = 0; i < view->function_count; i++)
        read_function(&source[i], &functions[i]);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* what a series has is there before its function is awaited no more */
    view->functions = functions;
    return 0;
}

static bool is_valid(const struct segment_header *header, uint64_t segment_bytes)
{
    return header->magic == SEGMENT_MAGIC && header->version == SEGMENT_VERSION &&
           header->segment_bytes <= segment_bytes && header->header_bytes >= sizeof(*header) &&
           header->header_bytes <= header->segment_bytes && tables_lie_inside(header);
}

int view_init(const struct segment_header *segment, uint64_t segment_bytes, struct copies *copies,
              struct view *ret_view)
{
    const char *base = (const char *)segment;
    struct view view = {.segment = segment, .copies = copies};
    int error;

    copies_read(&view.header, segment, sizeof(*segment));
    if (!is_valid(&view.header, segment_bytes))
        return -EINVAL;
    view.series = (const void *)(base + view.header.series);
    view.resources = (const void *)(base + view.header.resources);
    view.resource_count = view.header.resource_count;
    /* Series first: the functions and text they name were there before them. */
    view.series_count = load_count(&segment->series_count, view.header.series_capacity);
    view.function_count = load_count(&segment->function_count, view.header.function_capacity);
    view.block_count = load_count(&segment->block_count, view.header.block_capacity);
    error = read_functions(&view);
    if (!error)
        error = open_blocks(&view);
    if (!error)
        *ret_view = view;
    return error;
}

/* Texts ------------------------------------------------------------------------------------------------------------ */

/* What lies at an offset in the text arena, up to its end. */
static const char *read_text(const struct view *view, uint64_t offset, enum copies_form form, size_t *ret_length)
{
    uint64_t start = view->header.text;
    uint64_t end = start + view->header.text_bytes;

    *ret_length = 0;
    if (offset < start || offset >= end)
        return "";
    return copies_text(view->copies, offset, form, (const char *)view->segment + offset, end - offset, ret_length);
}

const char *view_text(const struct view *view, uint64_t offset)
{
    size_t length;

    return read_text(view, offset, COPIES_TEXT, &length);
}

const char *view_labels(const struct view *view, uint64_t offset, size_t *ret_length)
{
    return read_text(view, offset, COPIES_LABELS, ret_length);
}

const char *view_mapped(const struct view *view, uint64_t offset, const char *value)
{
    size_t length;
    const char *name = read_text(view, offset, COPIES_MAP, &length);
    const char *end = name + length;

    while (name < end) {
        const char *replacement = name + strlen(name) + 1;

        if (strcmp(name, value) == 0)
            return replacement;
        name = replacement + strlen(replacement) + 1;
    }
    return NULL;
}

/* Series ----------------------------------------------------------------------------------------------------------- */

static bool label_is_valid(const struct segment_value *label, uint32_t key_bytes)
{
    uint32_t bytes = label->type == SEGMENT_VALUE_STRING ? SEGMENT_STRING_FIELD_BYTES : SEGMENT_SCALAR_FIELD_BYTES;

    return label->type < SEGMENT_VALUE_TYPES && label->key_offset % 8 == 0 && bytes <= key_bytes &&
           label->key_offset <= key_bytes - bytes;
}

static bool values_lie_inside(const struct view *view, const struct segment_values *source)
{
    return source->value_count <= LABELS_MAX && source->key_bytes % 8 == 0 &&
           lies_inside(&view->header, source->values, source->value_count, sizeof(struct segment_value)) &&
           lies_inside(&view->header, source->keys, source->capacity, source->key_bytes);
}

/* NULL if one of them is not valid, or there is no memory. */
static const struct segment_value *read_labels(const struct view *view, const struct segment_values *source)
{
    size_t bytes = source->value_count * sizeof(struct segment_value);
    struct segment_value *labels = copies_alloc(view->copies, bytes);

    if (!labels)
        return NULL;
    copies_read(labels, (const char *)view->segment + source->values, bytes);
    for (uint32_t i = 0; i < source->value_count; i++)
        if (!label_is_valid(&labels[i], source->key_bytes))
            return NULL;
    return labels;
}

/* True if there is no table at all, too. */
static bool read_values(const struct view *view, uint64_t offset, struct view_values *ret_values)
{
    const char *base = (const char *)view->segment;
    const struct segment_values *shared;
    const struct segment_value *labels;
    struct segment_values source;

    *ret_values = (struct view_values){0};
    if (!offset)
        return true;
    if (!lies_inside(&view->header, offset, 1, sizeof(source)))
        return false;
    shared = (const void *)(base + offset);
    copies_read(&source, shared, sizeof(source));
    if (!values_lie_inside(view, &source))
        return false;
    labels = read_labels(view, &source);
    if (!labels)
        return false;
    *ret_values = (struct view_values){
        .labels = labels,
        .keys = base + source.keys,
        .label_count = source.value_count,
        .key_bytes = source.key_bytes,
        .count = load_count(&shared->count, source.capacity),
        .capacity = source.capacity,
    };
    return true;
}

/* Do so many words from this one on lie in the cell? 0: they are not there, which is as well. */
static bool has_words(const struct segment_series *series, uint32_t word, uint64_t count)
{
    return !word || word + count <= series->cell_words;
}

static bool words_are_valid(const struct segment_series *series, const struct view_values *errors)
{
    uint64_t base_words = CELL_BUCKETS + (uint64_t)series->bucket_count + 1;

    return series->bucket_count <= BUCKETS_MAX && series->cell_words <= CELL_WORDS_MAX &&
           base_words <= series->cell_words && base_words <= series->summed_words &&
           has_words(series, series->skipped_word, 1) && has_words(series, series->items_word, 1) &&
           has_words(series, series->interval_word, (uint64_t)series->bucket_count + 2) &&
           has_words(series, series->errors_word, series->error_count) &&
           (!errors->label_count || series->error_count == (uint64_t)errors->capacity + 1) &&
           has_words(series, series->last_start_word, 1) && has_words(series, series->last_success_word, 1) &&
           has_words(series, series->last_finish_word, 1);
}

static bool cells_lie_inside(const struct view *view, const struct segment_series *series, uint64_t cell,
                             const struct view_values *values)
{
    return cell >= SEGMENT_BLOCK_HEADER_BYTES &&
           fits(view->header.block_bytes, cell, (uint64_t)values->capacity + 1, segment_cell_bytes(series->cell_words));
}

bool view_read_series(const struct view *view, uint32_t index, struct view_series *ret_series)
{
    struct view_series checked = {.index = index};
    const struct segment_series *series = &checked.source;

    copies_read(&checked.source, &view->series[index], sizeof(checked.source));
    if (series->function >= view->function_count || view->functions[series->function].is_awaited ||
        !read_values(view, series->values, &checked.values) ||
        !read_values(view, series->entry_values, &checked.entry_values) ||
        !read_values(view, series->error_values, &checked.error_values) ||
        !words_are_valid(series, &checked.error_values) ||
        !lies_inside(&view->header, series->bounds, series->bucket_count, sizeof(double)) ||
        !lies_inside(&view->header, series->sampling, 1, series->sampling ? sizeof(struct segment_sampling) : 0) ||
        !cells_lie_inside(view, series, series->cell, &checked.values))
        return false;
    if (series->entry_cells && !cells_lie_inside(view, series, series->entry_cell, &checked.entry_values))
        return false;
    *ret_series = checked;
    return true;
}

const double *view_bounds(const struct view *view, const struct segment_series *series)
{
    return (const void *)((const char *)view->segment + series->bounds);
}

/* A table behind the header; NULL: it is not there (offset 0), or lies outside. */
static const uint64_t *table_at(const struct view *view, uint64_t offset, uint64_t count, uint64_t item_bytes)
{
    if (offset < view->header.header_bytes || !lies_inside(&view->header, offset, count, item_bytes))
        return NULL;
    return (const void *)((const char *)view->segment + offset);
}

const uint64_t *view_panics(const struct view *view, uint32_t function)
{
    const struct segment_header *header = &view->header;
    const uint64_t *table =
        table_at(view, header->panics, (uint64_t)header->function_capacity + 1, SEGMENT_SIGNALS_MAX * sizeof(*table));

    return table ? table + (uint64_t)function * SEGMENT_SIGNALS_MAX : NULL;
}

uint64_t view_recovered(const struct view *view, uint32_t function)
{
    const struct segment_header *header = &view->header;
    const uint64_t *table = table_at(view, header->recovered, header->function_capacity, sizeof(*table));

    return table ? __atomic_load_n(&table[function], __ATOMIC_RELAXED) : 0;
}

const char *view_block(const struct view *view, uint32_t block)
{
    return (const char *)view->segment + view->header.blocks + block * view->header.block_bytes;
}
