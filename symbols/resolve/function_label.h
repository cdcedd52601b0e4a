/* Which `function` label each target gets, and which targets would be the same series twice. Private to
 * symbols/resolve/. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_FUNCTION_LABEL_H
#define CALLMETER_SYMBOLS_RESOLVE_FUNCTION_LABEL_H

#include <stddef.h>

#include "symbols/resolve/resolution.h"

struct manifest;

/* Sets the names of all targets. For each target, twin_of (count elements) becomes the index of an earlier one that is
 * the same series of the same code, or SIZE_MAX. -ENOMEM. */
int resolve_name_targets(const struct manifest *manifest, struct resolve_target *targets, size_t count,
                         size_t *twin_of);

#endif
