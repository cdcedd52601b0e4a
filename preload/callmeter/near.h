/* Memory within reach of a 32-bit jump: where the stubs of an object's functions go. */
#ifndef CALLMETER_PRELOAD_CALLMETER_NEAR_H
#define CALLMETER_PRELOAD_CALLMETER_NEAR_H

#include <stddef.h>
#include <stdint.h>

/* Maps `bytes` of readable and writable memory, all of it within 2 GiB of all of [low, high), and away from where the
 * program's heap grows. The caller owns it. -ENOMEM: there is no such place. Context: startup. */
int near_map(uintptr_t low, uintptr_t high, size_t bytes, uint8_t **ret_memory);

#endif
