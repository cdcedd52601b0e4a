/* Imports of callmeter's own modules that were bound to a namesake in the program, led back to where they belong. */
#ifndef CALLMETER_PRELOAD_HOST_REBIND_H
#define CALLMETER_PRELOAD_HOST_REBIND_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/* Gives the import slot at `slot`, of the object `map`, the function `name` as the object itself or the libraries that
 * it needs define it. False: none of them does, or the slot cannot be written. Context: startup. */
bool rebind(const struct link_map *map, const char *name, uintptr_t *slot);

#endif
