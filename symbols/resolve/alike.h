/* Entries that mean the same code share one hook and its counters, so they must ask the same of it. Private to
 * symbols/resolve/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_ALIKE_H
#define CALLMETER_SYMBOLS_RESOLVE_ALIKE_H

#include <stdbool.h>

#include "symbols/resolve/resolution.h"

struct manifest;

/* True if both targets, neither of them refused, come from one entry, or ask the same, and no more than a plain
 * function has. */
bool resolve_is_alike(const struct manifest *manifest, const struct resolve_target *a, const struct resolve_target *b);

#endif
