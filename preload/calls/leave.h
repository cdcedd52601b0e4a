/* How calls end that the trampoline's own exit cannot end: out of order, on another thread, by an exception. Called
 * from assembly, with every general register saved there. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_LEAVE_H
#define CALLMETER_PRELOAD_CALLS_LEAVE_H

/* Offsets for assembly, and the room that it makes on an aligned stack; held against the struct below. */
#define LEAVE_RBX    0
#define LEAVE_RETURN 8
#define LEAVE_RESUME 16
#define LEAVE_BYTES  32

#ifndef __ASSEMBLER__

#include "preload/records/hot.h"

/* What a return or a landing needs to leave the trampoline. */
struct leave_exit {
    uint64_t caller_rbx;
    void *return_address;
    void *resume;
};

_Static_assert(sizeof(struct leave_exit) <= LEAVE_BYTES, "exit");
_Static_assert(offsetof(struct leave_exit, caller_rbx) == LEAVE_RBX, "exit");
_Static_assert(offsetof(struct leave_exit, return_address) == LEAVE_RETURN, "exit");
_Static_assert(offsetof(struct leave_exit, resume) == LEAVE_RESUME, "exit");

/* A return where rbx is not the innermost record. Finds the record, counts the outcome and gives it back. */
void leave_slow(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
                struct leave_exit *ret_exit);

/* An exception left the call, or a forced unwinding (pthread_exit, cancellation) did. */
void leave_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct leave_exit *ret_exit);

#endif
#endif
