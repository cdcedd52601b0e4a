/* What can be done at each place that was found: asks the planner, and settles who shares a hook. Private to
 * symbols/resolve/. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_PLAN_TARGETS_H
#define CALLMETER_SYMBOLS_RESOLVE_PLAN_TARGETS_H

#include <stddef.h>

#include "symbols/resolve/resolution.h"

struct manifest;
struct resolve_notes;
struct resolve_values;

/* Fills same_as, plan, values and reason of all found targets. -ENOMEM. */
int resolve_plan_targets(const struct manifest *manifest, const struct resolve_options *options,
                         struct resolve_values *values, struct resolve_target *targets,
                         const struct resolve_notes *notes, size_t count);

#endif
