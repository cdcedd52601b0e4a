/* Reading the segment without trusting it. */
#include "server/view.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BUCKETS_MAX = 1 << 16
};

static bool lies_inside(const struct segment_header *segment, uint64_t offset, uint64_t count, uint64_t item_bytes)
{
    return offset % 8 == 0 && offset <= segment->segment_bytes &&
           (!count || item_bytes <= (segment->segment_bytes - offset) / count);
}

static uint32_t load_count(const uint32_t *count, uint32_t capacity)
{
    uint32_t value = __atomic_load_n(count, __ATOMIC_ACQUIRE);

    return value < capacity ? value : capacity;
}

static bool tables_lie_inside(const struct segment_header *segment)
{
    return segment->text <= segment->segment_bytes && segment->text_bytes <= segment->segment_bytes - segment->text &&
           segment->block_bytes % 8 == 0 &&
           lies_inside(segment, segment->functions, segment->function_capacity, sizeof(struct segment_function)) &&
           lies_inside(segment, segment->series, segment->series_capacity, sizeof(struct segment_series)) &&
           lies_inside(segment, segment->blocks, segment->block_capacity, segment->block_bytes);
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
    /* Series first: the functions and text they name were there before them. */
    ret_view->series_count = load_count(&segment->series_count, segment->series_capacity);
    ret_view->function_count = load_count(&segment->function_count, segment->function_capacity);
    ret_view->block_count = load_count(&segment->block_count, segment->block_capacity);
    return open_blocks(segment, ret_view->block_count);
}

/* Bytes from the offset to the end of the text arena; 0 if it lies outside. */
static size_t text_room(const struct view *view, uint64_t offset)
{
    uint64_t start = view->segment->text;

    if (offset < start || offset >= start + view->segment->text_bytes)
        return 0;
    return (size_t)(start + view->segment->text_bytes - offset);
}

const char *view_text(const struct view *view, uint64_t offset)
{
    const char *text = (const char *)view->segment + offset;
    size_t room = text_room(view, offset);

    return room && memchr(text, '\0', room) ? text : "";
}

const char *view_labels(const struct view *view, uint64_t offset, size_t *ret_length)
{
    const char *labels = (const char *)view->segment + offset;
    size_t room = text_room(view, offset);
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

bool view_series_is_valid(const struct view *view, const struct segment_series *series)
{
    uint64_t block_bytes = view->segment->block_bytes;

    return series->function < view->function_count && series->bucket_count <= BUCKETS_MAX &&
           lies_inside(view->segment, series->bounds, series->bucket_count, sizeof(double)) && series->cell % 8 == 0 &&
           series->cell <= block_bytes && segment_cell_bytes(series->bucket_count) <= block_bytes - series->cell;
}

const double *view_bounds(const struct view *view, const struct segment_series *series)
{
    return (const void *)((const char *)view->segment + series->bounds);
}

const char *view_block(const struct view *view, uint32_t block)
{
    return (const char *)view->segment + view->segment->blocks + block * view->segment->block_bytes;
}
