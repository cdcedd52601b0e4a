/* Reading the segment without trusting it. */
#include "server/segment/view.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
static bool lies_inside(const struct segment_header *segment, uint64_t offset, uint64_t count, uint64_t item_bytes)
{
    return fits(segment->blocks, offset, count, item_bytes);
}

static uint32_t load_count(const uint32_t *count, uint32_t capacity)
{
    uint32_t value = __atomic_load_n(count, __ATOMIC_ACQUIRE);

    return value < capacity ? value : capacity;
}

static bool tables_lie_inside(const struct segment_header *segment)
{
    return segment->block_bytes % 8 == 0 &&
           fits(segment->segment_bytes, segment->blocks, segment->block_capacity, segment->block_bytes) &&
           segment->text <= segment->blocks && segment->text_bytes <= segment->blocks - segment->text &&
           lies_inside(segment, segment->functions, segment->function_capacity, sizeof(struct segment_function)) &&
           lies_inside(segment, segment->series, segment->series_capacity, sizeof(struct segment_series)) &&
           lies_inside(segment, segment->resources, segment->resource_count, sizeof(struct segment_resource));
}

/* Blocks that other processes claimed are out of bounds here still. A segment in plain memory (tests) has no such
 * pages. */
static int open_blocks(const struct segment_header *segment, uint32_t count)
{
    char *blocks = (char *)segment + segment->blocks;

    if ((uintptr_t)blocks % (uintptr_t)sysconf(_SC_PAGESIZE) != 0)
        return 0;
    return mprotect(blocks, count * segment->block_bytes, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

int view_init(const struct segment_header *segment, struct view *ret_view)
{
    const char *base = (const char *)segment;

    if (segment->magic != SEGMENT_MAGIC || segment->version != SEGMENT_VERSION ||
        segment->header_bytes < sizeof(*segment) || segment->segment_bytes < segment->header_bytes ||
        !tables_lie_inside(segment))
        return -EINVAL;
    ret_view->segment = segment;
    ret_view->functions = (const void *)(base + segment->functions);
    ret_view->series = (const void *)(base + segment->series);
    ret_view->resources = (const void *)(base + segment->resources);
    ret_view->resource_count = segment->resource_count;
    /* Series first: the functions and text they name were there before them. */
    ret_view->series_count = load_count(&segment->series_count, segment->series_capacity);
    ret_view->function_count = load_count(&segment->function_count, segment->function_capacity);
    ret_view->block_count = load_count(&segment->block_count, segment->block_capacity);
    return open_blocks(segment, ret_view->block_count);
}

/* Texts ------------------------------------------------------------------------------------------------------------ */

/* What lies at an offset in the text arena, and how many bytes there are to its end; 0 of them if that is outside. */
static const char *text_at(const struct view *view, uint64_t offset, size_t *ret_room)
{
    uint64_t start = view->segment->text;

    *ret_room = 0;
    if (offset < start || offset >= start + view->segment->text_bytes)
        return "";
    *ret_room = (size_t)(start + view->segment->text_bytes - offset);
    return (const char *)view->segment + offset;
}

const char *view_text(const struct view *view, uint64_t offset)
{
    size_t room;
    const char *text = text_at(view, offset, &room);

    return room && memchr(text, '\0', room) ? text : "";
}

const char *view_labels(const struct view *view, uint64_t offset, size_t *ret_length)
{
    size_t room;
    const char *labels = text_at(view, offset, &room);
    size_t length = 0;
    int texts = 0;

    *ret_length = 0;
    while (length < room) {
        const char *end = memchr(labels + length, '\0', room - length);

        if (!end)
            break;
        if (end == labels + length && texts % 2 == 0) {
            *ret_length = length;
            return labels;
        }
        length = (size_t)(end - labels) + 1;
        texts++;
    }
    return "";
}

/* The text behind one that was at `text`, or NULL. */
static const char *next_text(const char *text, const char *end)
{
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    return nul ? nul + 1 : NULL;
}

const char *view_mapped(const struct view *view, uint64_t offset, const char *value)
{
    size_t room;
    const char *name = text_at(view, offset, &room);
    const char *end = name + room;

    for (bool is_first = true; name < end && (*name || is_first); is_first = false) {
        const char *replacement = next_text(name, end);
        const char *next = replacement ? next_text(replacement, end) : NULL;

        if (!next)
            return NULL;
        if (strcmp(name, value) == 0)
            return replacement;
        name = next;
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

static bool labels_are_valid(const struct view *view, const struct segment_values *source)
{
    const struct segment_value *labels;

    if (source->value_count > LABELS_MAX || source->key_bytes % 8 != 0 ||
        !lies_inside(view->segment, source->values, source->value_count, sizeof(struct segment_value)) ||
        !lies_inside(view->segment, source->keys, source->capacity, source->key_bytes))
        return false;
    labels = (const void *)((const char *)view->segment + source->values);
    for (uint32_t i = 0; i < source->value_count; i++)
        if (!label_is_valid(&labels[i], source->key_bytes))
            return false;
    return true;
}

/* True if there is no table at all, too. */
static bool read_values(const struct view *view, uint64_t offset, struct view_values *ret_values)
{
    const char *base = (const char *)view->segment;
    const struct segment_values *source;

    *ret_values = (struct view_values){0};
    if (!offset)
        return true;
    if (!lies_inside(view->segment, offset, 1, sizeof(*source)))
        return false;
    source = (const void *)(base + offset);
    if (!labels_are_valid(view, source))
        return false;
    *ret_values = (struct view_values){
        .labels = (const void *)(base + source->values),
        .keys = base + source->keys,
        .label_count = source->value_count,
        .key_bytes = source->key_bytes,
        .count = load_count(&source->count, source->capacity),
        .capacity = source->capacity,
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
    return cell >= SEGMENT_BLOCK_HEADER_BYTES && fits(view->segment->block_bytes, cell, (uint64_t)values->capacity + 1,
                                                      segment_cell_bytes(series->cell_words));
}

static bool is_awaited(const struct segment_function *function)
{
    return __atomic_load_n(&function->is_awaited, __ATOMIC_ACQUIRE) != 0;
}

bool view_read_series(const struct view *view, const struct segment_series *series, struct view_series *ret_series)
{
    struct view_series checked = {.source = series};

    if (series->function >= view->function_count || is_awaited(&view->functions[series->function]) ||
        !read_values(view, series->values, &checked.values) ||
        !read_values(view, series->entry_values, &checked.entry_values) ||
        !read_values(view, series->error_values, &checked.error_values) ||
        !words_are_valid(series, &checked.error_values) ||
        !lies_inside(view->segment, series->bounds, series->bucket_count, sizeof(double)) ||
        !lies_inside(view->segment, series->sampling, 1, series->sampling ? sizeof(struct segment_sampling) : 0) ||
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
    if (offset < view->segment->header_bytes || !lies_inside(view->segment, offset, count, item_bytes))
        return NULL;
    return (const void *)((const char *)view->segment + offset);
}

const uint64_t *view_panics(const struct view *view, uint32_t function)
{
    const struct segment_header *segment = view->segment;
    const uint64_t *table =
        table_at(view, segment->panics, (uint64_t)segment->function_capacity + 1, SEGMENT_SIGNALS_MAX * sizeof(*table));

    return table ? table + (uint64_t)function * SEGMENT_SIGNALS_MAX : NULL;
}

uint64_t view_recovered(const struct view *view, uint32_t function)
{
    const struct segment_header *segment = view->segment;
    const uint64_t *table = table_at(view, segment->recovered, segment->function_capacity, sizeof(*table));

    return table ? __atomic_load_n(&table[function], __ATOMIC_RELAXED) : 0;
}

const char *view_block(const struct view *view, uint32_t block)
{
    return (const char *)view->segment + view->segment->blocks + block * view->segment->block_bytes;
}
