/* Private to live*.c: what keeps threads out of the windows that are closed with int3. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_TRAPS_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_TRAPS_H

#include <stddef.h>

#include "preload/control/patching/window.h"

struct traps;

/* From here on a thread that comes to one of the patches that need int3 waits; first it calls `on_trap`. NULL: int3
 * cannot be used. Context: startup, or in a call of dlopen. */
struct traps *live_traps_begin(const struct patch *patches, size_t count, void (*on_trap)(void));

/* There is no int3 any more: those that wait go on. If a thread cannot be seen elsewhere, a trap may be on its way to
 * it: then the handler stays, and passes on what is not its own. The list stays as long as a handler may be reading it.
 * Context: as above. */
void live_traps_end(struct traps *list);

/* The same in a child that was forked meanwhile, where no thread is left. Context: any. */
void live_traps_forked(void);

#endif
