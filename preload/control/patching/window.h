/* A window: the first bytes of a function, which a jump replaces. What patches code, whether threads may be running it
 * (live.h) or not (patch.c), is handed these. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_WINDOW_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "symbols/plan/plan.h"

/* One function to patch. */
struct patch {
    const struct patch_plan *plan;
    uint8_t *window;       /* run address of the plan's window */
    const uint8_t *target; /* where the jump goes; within 2 GiB */
    size_t owner;          /* the caller's own */
    int result;            /* out: 0: written; else left as it was: -errno of mprotect, or what live.h says */
};

/* Patches, sorted by window, whose windows lie on adjacent pages. */
struct window_run {
    uintptr_t begin; /* of the pages */
    uintptr_t end;
    int protection; /* theirs, but while they are written */
    size_t first;   /* patch */
    size_t count;
};

#endif
