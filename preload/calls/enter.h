/* What the trampolines ask for out of line when a call begins: first calls, full chunks, calls that are only counted.
 * Called from assembly, with every general register saved there. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_ENTER_H
#define CALLMETER_PRELOAD_CALLS_ENTER_H

#include "preload/records/hot.h"

enum {
    ENTER_RETRY,
    ENTER_BYPASS
};

/* The lane has no block, or no free record. ENTER_RETRY: it has now. ENTER_BYPASS: go to the original untimed; if the
 * call is to be counted, it has been. */
int enter_slow(const struct hook *hook);

/* A counted function's call on a lane without block, or of a function with more than a count. Counts it. The values as
 * in read.h. */
void enter_counted(const struct hook *hook, const uint64_t *registers, const uint64_t *stack,
                   const uint64_t (*vectors)[2]);

/* A call at `slot`, above the innermost record's or at it: are records of the lane dead? */
void enter_check(struct lane *lane, uintptr_t slot);

#endif
