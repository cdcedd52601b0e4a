/* Alternate signal stacks: without one, a stack overflow cannot be caught. A thread gets one with its lane, if it has
 * none then; a stack that the program sets itself later takes its place. It stays with the lane, for the next thread.
 * 1 MiB of address space and what is used of it in memory; the first thousand of a process's threads have one. */
#ifndef CALLMETER_PRELOAD_THREADS_ALTSTACK_H
#define CALLMETER_PRELOAD_THREADS_ALTSTACK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From here on altstack_attach gives stacks; the calling thread, the program's first, gets one now. `frame_bytes` is
 * what the kernel needs for a signal's frame (AT_MINSIGSTKSZ). Context: startup. */
void altstack_init(size_t frame_bytes);

/* Gives the calling thread the stack at *stack, which is mapped if it is 0, unless it has one. Signals are blocked.
 * Context: hot. */
void altstack_attach(uintptr_t *stack);

/* True if the calling thread's handlers run on a stack that it got here. Context: signal. */
bool altstack_is_own(const stack_t *stack);

/* If it is one of those, *stack becomes what a thread without any has; true then. Context: any. */
bool altstack_hide(stack_t *stack);

/* Maps a stack, out of bounds below. Its top, or 0. Context: hot. */
uintptr_t altstack_map(size_t bytes);

/* Gives back one that ends at `top`. */
void altstack_unmap(uintptr_t top, size_t bytes);

#endif
