/* Memory within reach of a 32-bit jump: where the stubs of an object's functions go. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_NEAR_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim;

/* Maps `bytes` of readable and writable memory, all of it within 2 GiB of all of [low, high), and away from where the
 * program's heap grows. The caller owns it. -ENOMEM: there is no such place. Context: startup. */
int near_map(uintptr_t low, uintptr_t high, size_t bytes, uint8_t **ret_memory);

/* Makes what was written to such memory, from its beginning on, executable and no longer writable; by another way where
 * a policy forbids it for memory that was written. -errno: it is forbidden altogether. Context: startup. */
int near_seal(const struct shim *shim, void *memory, size_t bytes);

/* True if such memory is within 2 GiB of all of [low, high). */
bool near_reaches(uintptr_t address, size_t bytes, uintptr_t low, uintptr_t high);

#endif
