/* Is the calling thread in a signal handler? Then the code that it interrupted may hold a lock of libc, or of the
 * program's allocator, which this thread would wait for in vain. */
#ifndef CALLMETER_PRELOAD_PROCESSES_INTERRUPTED_H
#define CALLMETER_PRELOAD_PROCESSES_INTERRUPTED_H

#include <stdbool.h>

/* Context: startup. */
void interrupted_init(void);

/* Looks for the kernel's frame on the stack, which leads back to libc's restorer. True also where it cannot be told:
 * not on the first thread's stack, deep in recursion. A frame that was left behind may be taken for one in use.
 * Context: any, after interrupted_init. */
bool interrupted_maybe(void);

#endif
