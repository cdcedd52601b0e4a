/* How calls end that the trampoline's own exit cannot end: out of order, on another thread, by an exception. Called
 * from assembly, with every general register saved there. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_LEAVE_H
#define CALLMETER_PRELOAD_CALLS_LEAVE_H

#include "preload/records/hot.h"

/* What a return or a landing needs to leave the trampoline. The order is known to assembly. */
struct leave_exit {
    uint64_t caller_rbx;
    void *return_address;
    void *resume;
};

/* A return where rbx is not the innermost record. Finds the record, counts the outcome and gives it back. */
void leave_slow(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
                struct leave_exit *ret_exit);

/* An exception left the call, or a forced unwinding (pthread_exit, cancellation) did. */
void leave_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct leave_exit *ret_exit);

#endif
