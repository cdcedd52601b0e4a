/* Writing jumps into code that is, or soon will be, running. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_PATCH_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_PATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/control/patching/window.h"

/* Makes the pages writable, writes the jumps, restores the protection. `patches` is sorted by window here. `is_live`:
 * other threads may be running the code (live.h has how it is done then). Context: startup, or in a call of dlopen. */
void patch_apply(struct patch *patches, size_t count, bool is_live);

/* True if the program has other threads than the calling one (live_threads.h); where nobody can tell, as libc believes.
 * Context: as above. */
bool patch_has_threads(void);

/* True if it was not written because threads may be running the code; else it could not be. */
bool patch_is_refused_live(int result);

/* Why a patch was not written, as a clause for the user. */
void patch_explain(int result, char *reason, size_t bytes);

#endif
