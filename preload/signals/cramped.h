/* Handlers of the program's that run on an alternate stack with little room left: a few kilobytes are usual, and a
 * signal's frame may be as large. What callmeter does there it does on a stack of its own; and since the kernel ends a
 * program whose next frame has no room, signals that the program would die of without one are to come without one. */
#ifndef CALLMETER_PRELOAD_SIGNALS_CRAMPED_H
#define CALLMETER_PRELOAD_SIGNALS_CRAMPED_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `frame_bytes` is what the kernel needs for a signal's frame (AT_MINSIGSTKSZ). Context: startup. */
void cramped_init(size_t frame_bytes);

/* True if `sp` is on the alternate stack, and another signal may find no room there. Context: any. */
bool cramped_is_at(const stack_t *stack, uintptr_t sp);

/* True for the calling thread as it is. Context: any. */
bool cramped_is(void);

/* function(context): on a stack made for it if the thread is cramped and there is memory. Context: signal. */
void cramped_call(void (*function)(void *), void *context);

#endif
