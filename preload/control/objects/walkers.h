/* Runtimes that walk their stacks by return addresses, and let themselves be told where these are: V8. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_WALKERS_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_WALKERS_H

#include <stddef.h>
#include <stdint.h>

struct object;

/* Tells those among the objects to ask `place`, which is given where the stack has a return address and answers where
 * it is. Context: startup, before any of their code has run. */
void walkers_tell(struct object *const *objects, size_t count, uintptr_t (*place)(uintptr_t slot));

#endif
