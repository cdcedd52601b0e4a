/* Reading the segment without trusting it: every offset is held against the mapping before it is followed. */
#ifndef CALLMETER_SERVER_VIEW_H
#define CALLMETER_SERVER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment.h"

/* The segment as it is now: entries below the counts are complete. */
struct view {
    const struct segment_header *segment;
    const struct segment_function *functions;
    const struct segment_series *series;
    uint32_t function_count;
    uint32_t series_count;
    uint32_t block_count;
};

/* -EINVAL: not a segment of this version, or its tables lie outside. Context of all here: server thread. */
int view_init(const struct segment_header *segment, struct view *ret_view);

/* The text at an offset; "" if there is none, or no NUL ends it. */
const char *view_text(const struct view *view, uint64_t offset);

/* The labels at an offset, name NUL value NUL ... NUL, and their length without the last NUL; none if they are not well
 * formed. */
const char *view_labels(const struct view *view, uint64_t offset, size_t *ret_length);

/* Its function exists, and bounds and cell lie where such things lie. */
bool view_series_is_valid(const struct view *view, const struct segment_series *series);

/* The bounds of a valid series. */
const double *view_bounds(const struct view *view, const struct segment_series *series);

/* The first byte of a block below block_count. */
const char *view_block(const struct view *view, uint32_t block);

#endif
