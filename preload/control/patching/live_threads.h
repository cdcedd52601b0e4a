/* Private to live*.c: where the other threads of the process are, without disturbing them. System calls only. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_THREADS_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* True if a thread whose next instruction is at `pc` would be harmed. */
typedef bool (*live_is_inside)(const void *context, uintptr_t pc);

/* Returns when each of the threads was seen where it is not harmed, or false. Those that come later are not waited
 * for. */
bool live_threads_left(live_is_inside is_inside, const void *context);

/* True if none blocks that signal, which may take a while: a thread that is being made blocks all. */
bool live_threads_take(int signal);

#endif
