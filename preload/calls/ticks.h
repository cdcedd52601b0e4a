/* The ticks that calls are timed in: of the time-stamp counter, or nanoseconds of a clock where that counter is none.
 */
#ifndef CALLMETER_PRELOAD_CALLS_TICKS_H
#define CALLMETER_PRELOAD_CALLS_TICKS_H

#include <stdint.h>

/* Reads what the trampolines in use read; general registers only. Those of the `clock` kinds call it. Context: hot. */
extern uint64_t (*ticks_now)(void) __attribute__((visibility("hidden")));

/* Before any call. Context: startup. */
void ticks_init(uint64_t (*now)(void));

#endif
