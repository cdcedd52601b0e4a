/* Where the values are that the manifest asks of each target, and what else debug information tells. Private to
 * symbols/resolve/. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_TARGET_VALUES_H
#define CALLMETER_SYMBOLS_RESOLVE_TARGET_VALUES_H

#include <stddef.h>

#include "symbols/resolve/resolution.h"

struct resolve_debuginfo;

/* The debug information that was opened so far, one an object. Zeroed but for the manifest. */
struct resolve_values {
    const struct manifest *manifest;
    struct resolve_debuginfo *opened;
    size_t count;
};

/* Fills `values` of a target whose plan is settled, or refuses it and says why. -ENOMEM. */
int resolve_locate_values(struct resolve_values *values, struct resolve_target *target);

/* Adds to the reasons of tracked functions that were asked for by name how many inlined copies of them there are.
 * Objects with more debug information than `bytes_max` are passed over. -ENOMEM. */
int resolve_note_inlined(struct resolve_values *values, size_t bytes_max, struct resolution *resolution);

void resolve_values_finish(struct resolve_values *values);

#endif
