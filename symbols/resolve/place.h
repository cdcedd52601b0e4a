/* Entries that name a place, not a name: by build id and offset. Private to symbols/resolve/. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_PLACE_H
#define CALLMETER_SYMBOLS_RESOLVE_PLACE_H

#include <stdbool.h>

#include "symbols/resolve/resolution.h"

struct manifest_function;

/* Sets a target to the place that the entry names in this object, whose build id it is. Where no function can begin
 * there, the plan refuses it and *ret_is_refused is set. -ENOMEM. */
int resolve_place_in(const struct manifest_function *function, const struct object *object,
                     struct resolve_target *target, bool *ret_is_refused);

/* The `function` label of a place that was not found or has no symbol: "0x4711". NULL: out of memory. */
char *resolve_place_name(uint64_t offset);

/* The length of a function that its symbol does not tell, by its unwind information; 0 if that does not tell either. */
uint64_t resolve_place_size(const struct object *object, uint64_t address);

#endif
