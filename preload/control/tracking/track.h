/* From a resolution to running trampolines: segment entries, hooks, stubs, patches. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_H

#include <stdbool.h>

#include "preload/control/segment/clock.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

struct diag;
struct segment_header;
struct stub_map;
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

/* Refuses what differs in memory from its file, places stubs, makes the segment with an entry for every target, and
 * counts the failures. Nothing is patched yet. -errno, with the diag, if the process cannot be instrumented at all.
 * Context: startup. */
int track_prepare(struct track *track, struct diag *diag);

/* Patches what was prepared, and says in the segment what became of it. Context: startup. */
void track_apply(struct track *track);

/* True if the function's entry in the segment is complete before its library is there: it is one function, and all that
 * is to be counted is known by the manifest. */
bool track_is_foreseen(const struct manifest_function *function);

/* Where the stubs are, for what asks in a handler (panic_load.h); stays for ever. */
struct stub_map *track_stubs(void);

/* Frees what is not needed any more; the segment, hooks and stubs stay. After track_prepare, whatever it returned. */
void track_finish(struct track *track);

#endif
