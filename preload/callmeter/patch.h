/* Writing jumps into code that is, or soon will be, running. */
#ifndef CALLMETER_PRELOAD_CALLMETER_PATCH_H
#define CALLMETER_PRELOAD_CALLMETER_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/plan.h"

/* One function to patch. */
struct patch {
    const struct patch_plan *plan;
    uint8_t *window;       /* run address of the plan's window */
    const uint8_t *target; /* where the jump goes; within 2 GiB */
    size_t owner;          /* the caller's own */
    int result;            /* out: 0: written; -errno of mprotect: left as it was */
};

/* Makes the pages writable, writes the jumps, restores readable and executable. `patches` is sorted by window here.
 * With other threads about (`is_live`), a thread that comes by meanwhile spins at the entry until its jump is whole.
 * Context: startup. */
void patch_apply(struct patch *patches, size_t count, bool is_live);

#endif
