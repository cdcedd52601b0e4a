/* The stub of a tracked function: the few instructions between its patched entry and the trampoline. Written per CPU
 * (x86_64/stub.c). */
#ifndef CALLMETER_PRELOAD_CALLMETER_STUB_H
#define CALLMETER_PRELOAD_CALLMETER_STUB_H

#include <stddef.h>
#include <stdint.h>

#include "symbols/plan.h"

struct diag;
struct hook;
struct shim;

enum {
    STUB_BYTES_MAX = 96 + PLAN_RELOCATED_BYTES_MAX
};

/* What stubs are made with; the same for all of a process. */
struct stub_config {
    const void *entry; /* of the trampoline */
    const void *count_slow;
    ptrdiff_t thread_offset; /* of hot_thread from the thread pointer; fits 32 bits */
};

struct stub {
    const uint8_t *entry; /* where the patched function jumps to */
    size_t bytes;
};

/* Writes the stub of a function that is timed (plan->mode full) or counted, to `memory`, which has STUB_BYTES_MAX bytes
 * and is where the stub will run. Sets hook->original and hook->bypass. -ERANGE: an operand of the window is out of
 * reach, the diag says which. Context: startup. */
int stub_write(const struct stub_config *config, const struct patch_plan *plan, struct hook *hook, uint8_t *memory,
               struct stub *ret_stub, struct diag *diag);

#endif
