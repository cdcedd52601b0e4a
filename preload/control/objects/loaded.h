/* The objects that are loaded in this process, opened for the resolver. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_LOADED_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_LOADED_H

#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/object.h"

struct shim;

struct loaded {
    struct object **objects; /* the program first, then libraries in load order */
    size_t count;
};

/* Opens the first shim->settings.objects_before of the process's objects but callmeter's own and the vDSO. One that
 * cannot be read is left out, with a line in the log. -ENOMEM. Context: startup. */
int loaded_init(struct loaded *loaded, const struct shim *shim);

void loaded_finish(struct loaded *loaded);

/* What the IFUNC's resolver picked: as ld.so noted it where the object itself uses the IFUNC, else by asking it again,
 * which is not the same if it has side effects. A resolve_ifunc. */
uint64_t loaded_ifunc(const struct object *object, const struct symbol *symbol, void *context);

#endif
