/* What is done for targets whose code cannot be written: their calls are led to the stub where other objects import
 * them. Private to track*.c. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_FALLBACK_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_FALLBACK_H

#include <stddef.h>

struct patch;
struct track;

/* For those of `patches` that failed: redirects the imports of their targets, and says in the reason what that does not
 * see. Targets that nobody imports are refused. The stub does not care how a call came to it: what it does in place of
 * the window's instructions is right whether they are there or not.
 *
 * Those of libraries that are loaded later are refused: whose a slot of lazy binding will be has to be asked of the
 * loader, which another thread may hold while it waits for this one. Context: startup, or in a call of dlopen. */
void track_fall_back(struct track *track, const struct patch *patches, size_t count);

#endif
