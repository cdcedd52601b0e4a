/* Which memory stays readable as long as the process lives: what preload/calls/read.h may look at without asking the
 * kernel.
 */
#ifndef CALLMETER_PRELOAD_CONTROL_MEMORY_MEMORY_H
#define CALLMETER_PRELOAD_CONTROL_MEMORY_MEMORY_H

struct shim;

/* Finds it, and tells the data plane. Where something cannot be found out, the kernel is asked at each call. Context:
 * startup. */
void memory_init(const struct shim *shim);

#endif
