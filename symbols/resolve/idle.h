/* Targets that are not worth a line of their own. Private to symbols/resolve/. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_IDLE_H
#define CALLMETER_SYMBOLS_RESOLVE_IDLE_H

#include "symbols/resolve/resolution.h"

struct resolve_notes;

/* Drops, after planning, what repeats another target of the same entry, and older versions that cannot be tracked
 * beside the default version, whose reason then mentions them. `notes` is as long as the resolution was. -ENOMEM. */
int resolve_drop_idle(struct resolution *resolution, const struct resolve_notes *notes);

#endif
