/* Where the memory of the process is limited, what callmeter only reserves is missing to the program: how much it may
 * take there. Context: startup. */
#ifndef CALLMETER_PRELOAD_CONTROL_MEMORY_MEMORY_LIMITS_H
#define CALLMETER_PRELOAD_CONTROL_MEMORY_MEMORY_LIMITS_H

#include <stdint.h>

/* How many of `wanted` blocks may be reserved. At least a few: further threads share one. */
uint32_t memory_limits_blocks(uint32_t wanted, uint64_t block_bytes);

/* The C library reserves 64 MiB and more for the allocations of each new thread. Where that is much, it is told not to,
 * as its manual recommends (M_ARENA_MAX). Before any thread of ours is made. */
void memory_limits_apply_to_threads(void);

#endif
