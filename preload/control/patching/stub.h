/* The stub of a tracked function: the few instructions between its patched entry and the trampoline. Written per CPU
 * (x86_64/stub.c). */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_STUB_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/plan/plan.h"

struct diag;
struct hook;
struct segment_sampling;
struct shim;

enum {
    STUB_BYTES_MAX = 192 + PLAN_RELOCATED_BYTES_MAX
};

/* What stubs are made with. */
struct stub_config {
    const void *entry; /* of the trampoline */
    const void *entry_untimed;
    const void *sample;
    const void *count_slow;
    ptrdiff_t thread_offset; /* of hot_thread from the thread pointer; fits 32 bits */
};

/* What a stub is for. */
struct stub_request {
    const struct patch_plan *plan;
    const struct hook *hook;    /* of calls that are timed, or counted */
    const struct hook *weighed; /* sampled functions: of timed calls that stand for others; else NULL */
    const struct hook *untimed; /* and of calls that are judged, but not timed; NULL: they are let go */
    const struct segment_sampling *sampling;
    uint64_t skip; /* words in the block, see sampling.h */
    uint64_t skipped;
    bool is_count_extra; /* counted, and there is more to do than that */
};

struct stub {
    const uint8_t *entry; /* where the patched function jumps to */
    void *original;       /* the relocated instructions, for hook->original or extra->original */
    void *bypass;         /* for hook->bypass */
    size_t bytes;
    uint8_t offsets[PLAN_WINDOW_INSTRUCTIONS_MAX]; /* where each instruction of the window went, from `original` on */
};

/* Writes the stub of a function that is timed (plan->mode full) or counted, to `memory`, which has STUB_BYTES_MAX bytes
 * and is where the stub will run. -ERANGE: an operand of the window is out of reach, the diag says which. Context:
 * startup. */
int stub_write(const struct stub_config *config, const struct stub_request *request, uint8_t *memory,
               struct stub *ret_stub, struct diag *diag);

#endif
