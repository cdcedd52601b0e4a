/* What the trampolines do out of line: first calls, full chunks, returns out of order, exceptions, jumps. Called from
 * assembly, with every general register saved there. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_SLOW_H
#define CALLMETER_PRELOAD_CALLS_SLOW_H

#include "preload/records/hot.h"

enum {
    SLOW_RETRY,
    SLOW_BYPASS
};

/* What a return or a landing needs to leave the trampoline. The order is known to assembly. */
struct slow_exit {
    uint64_t caller_rbx;
    void *return_address;
    void *resume;
};

/* `now` reads the ticks of the trampoline in use. Context: startup. */
void slow_init(uint64_t (*now)(void));

/* The lane has no block, or no free record. SLOW_RETRY: it has now. SLOW_BYPASS: go to the original untimed; if the
 * call is to be counted, it has been. */
int slow_entry(const struct hook *hook);

/* A counted function's call on a lane without block, or of a function with more than a count. Counts it. The values as
 * in read.h. */
void slow_count(const struct hook *hook, const uint64_t *registers, const uint64_t *stack,
                const uint64_t (*vectors)[2]);

/* A call at `slot`, above the innermost record's or at it: are records of the lane dead? */
void slow_entry_check(struct lane *lane, uintptr_t slot);

/* A return where rbx is not the innermost record. Finds the record, counts the outcome and gives it back. */
void slow_exit(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
               struct slow_exit *ret_exit);

/* An exception left the call, or a forced unwinding (pthread_exit, cancellation) did. */
void slow_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct slow_exit *ret_exit);

/* longjmp is about to set rsp to `target`, from `from`, and the thread's mask to a saved one if that is so. */
void slow_longjmp(uintptr_t target, uintptr_t from, int is_mask_restored);

#endif
