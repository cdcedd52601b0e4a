/* Is the calling thread in a signal handler? Then the code that it interrupted may hold a lock of libc, or of the
 * program's allocator, which this thread would wait for in vain. */
#ifndef CALLMETER_PRELOAD_PROCESSES_INTERRUPTED_H
#define CALLMETER_PRELOAD_PROCESSES_INTERRUPTED_H

#include <stdint.h>
#include <ucontext.h>

/* Each question has a safe answer of its own to UNKNOWN. */
enum interrupted {
    INTERRUPTED_NO,
    INTERRUPTED_YES,
    INTERRUPTED_UNKNOWN, /* a frame of the kernel's lies further up, in use or left behind, and no way leads there */
};

/* Unwinds from `context` on: 1: there is a handler's frame; 0: the stack ends without one; below 0: it cannot be told
 * within `limit_ns`. Called on a stack of our own, one thread at a time, with signals blocked. */
typedef int (*interrupted_unwinder)(const ucontext_t *context, uint64_t limit_ns);

/* Context: startup. */
void interrupted_init(void);

/* From here on there is somebody to ask: else a frame that was left behind may be taken for one in use. Context:
 * startup. */
void interrupted_unwind(interrupted_unwinder unwinder);

/* Looks for the kernel's frame on the stack. A coroutine that a handler has resumed is not in the handler. Takes about
 * 1 ms for 8 MiB of stack; 0.1 s at most where it has to unwind. Context: any, after interrupted_init. */
enum interrupted interrupted_ask(void);

#endif
