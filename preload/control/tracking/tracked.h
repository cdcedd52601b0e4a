/* What is tracked: a resolution, and what its targets have in this process and in the segment. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TRACKED_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TRACKED_H

#include <stddef.h>
#include <stdint.h>

struct clock;
struct manifest;
struct resolution;
struct segment_header;
struct shim;
struct state;
struct track_build;

/* How much room the segment gets for functions that are not there yet (late.h). */
struct track_reserve {
    uint32_t functions;
    uint64_t cell_bytes;
    uint64_t text_bytes;
};

/* Embedded by the caller, who sets the inputs and zeroes the rest. */
struct track {
    const struct shim *shim;
    const struct manifest *manifest;
    const size_t
        *entries; /* NULL, or of a manifest that is a part of one: the place in that of each of its functions */
    struct resolution *resolution;
    const struct clock *clock;
    struct state *state;            /* at the start only */
    struct track_reserve reserve;   /* room for what comes later */
    struct segment_header *segment; /* out */
    struct track_build *build;      /* private, from track_prepare to track_finish */
    size_t failed;                  /* out: functions that are not optional and cannot be tracked */
};

#endif
