/* Reading the segment without trusting it: every offset is held against the mapping before it is followed. */
#ifndef CALLMETER_SERVER_SEGMENT_VIEW_H
#define CALLMETER_SERVER_SEGMENT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment/segment.h"

struct copies;

/* The segment as it is now: entries below the counts are complete. Others may write it meanwhile, so what offsets and
 * sizes are held against is a copy. */
struct view {
    const struct segment_header *segment; /* for counters alone, each of which is read once */
    struct segment_header header;         /* a copy, but for those */
    struct copies *copies;
    const struct segment_function *functions; /* a copy */
    const struct segment_series *series;
    const struct segment_resource *resources;
    uint32_t function_count;
    uint32_t series_count;
    uint32_t resource_count;
    uint32_t block_count;
};

/* The tuples of values that were there when this was made. All zero: no labels, and one place. */
struct view_values {
    const struct segment_value *labels; /* a copy */
    const char *keys;                   /* in the segment: nothing that is read there says where to read on */
    uint32_t label_count;
    uint32_t key_bytes;
    uint32_t count;    /* of tuples: places 0 to count - 1 */
    uint32_t capacity; /* the place of all others */
};

/* A series of which all numbers have been checked. */
struct view_series {
    struct segment_series source; /* a copy */
    uint32_t index;               /* in the segment's series[] */
    struct view_values values;
    struct view_values entry_values;
    struct view_values error_values; /* label_count 0: errors are by errno, or there are none */
};

/* `segment_bytes` are those of the mapping, whatever the header says. -EINVAL: not a segment of this version, or its
 * tables lie outside; -ENOMEM. The copies are the caller's, and what the view gives out is valid as long as they; the
 * first failure to make one sticks there. Context of all here: server thread. */
int view_init(const struct segment_header *segment, uint64_t segment_bytes, struct copies *copies,
              struct view *ret_view);

/* The text at an offset, always the same; "" if there is none, or no NUL ends it. */
const char *view_text(const struct view *view, uint64_t offset);

/* The labels at an offset, name NUL value NUL ... NUL, and their length without the last NUL; none if they are not well
 * formed. */
const char *view_labels(const struct view *view, uint64_t offset, size_t *ret_length);

/* What takes the place of a value according to the map at an offset (segment_value.map), or NULL. */
const char *view_mapped(const struct view *view, uint64_t offset, const char *value);

/* The index-th series, below series_count. False if its function does not exist, or anything lies where such things do
 * not lie. */
bool view_read_series(const struct view *view, uint32_t index, struct view_series *ret_series);

/* The bounds of a valid series, in the segment. */
const double *view_bounds(const struct view *view, const struct segment_series *series);

/* The panics of a function, by position in the segment's signals[]; those of none for function_capacity. NULL: there is
 * no such table, or it lies outside. */
const uint64_t *view_panics(const struct view *view, uint32_t function);

/* How many panics of a function below function_count were turned into returns; 0 without such a table. */
uint64_t view_recovered(const struct view *view, uint32_t function);

/* The first byte of a block below block_count. */
const char *view_block(const struct view *view, uint32_t block);

/* How many places are in use, the one of all others included, and the number of the i-th of them. */
static inline uint32_t view_place_count(const struct view_values *values)
{
    return values->count + 1;
}

static inline uint32_t view_place(const struct view_values *values, uint32_t i)
{
    return i < values->count ? i : values->capacity;
}

#endif
