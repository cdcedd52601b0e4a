/* The part of the manifest that may mean one library. Part of late. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_MANIFEST_PART_H
#define CALLMETER_PRELOAD_CONTROL_LATE_MANIFEST_PART_H

#include <stdint.h>

#include "preload/control/late/library.h"
#include "symbols/manifest/manifest.h"

/* Embedded by the caller. */
struct manifest_part {
    struct manifest manifest; /* its own: functions and resources, whose contents belong to the whole one */
    size_t *entries;          /* place of each function in the whole one */
};

/* `found` tells how many functions each entry has found (only that of entries without `object` is looked at: the first
 * library that has one is meant). -ENOMEM. The part may have no functions. */
int manifest_part_init(struct manifest_part *part, const struct manifest *manifest, const uint32_t *found,
                       const struct late_object *object);
void manifest_part_finish(struct manifest_part *part);

#endif
