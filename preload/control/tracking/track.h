/* From a resolution to running trampolines: segment entries, hooks, stubs, patches. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_H

#include "preload/control/tracking/tracked.h"

struct diag;
struct stub_map;

/* Refuses what differs in memory from its file, places stubs, makes the segment with an entry for every target, and
 * counts the failures. Nothing is patched yet. -errno, with the diag, if the process cannot be instrumented at all.
 * Context: startup. */
int track_prepare(struct track *track, struct diag *diag);

/* Patches what was prepared, and says in the segment what became of it. Context: startup. */
void track_apply(struct track *track);

/* Where the stubs are, for what asks in a handler (panic_load.h); stays for ever. */
struct stub_map *track_stubs(void);

/* Frees what is not needed any more; the segment, hooks and stubs stay. After track_prepare, whatever it returned. */
void track_finish(struct track *track);

#endif
