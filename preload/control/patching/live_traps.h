/* Private to live*.c: what keeps threads out of the windows that are closed with int3. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_TRAPS_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_TRAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/control/patching/live_threads.h"
#include "preload/control/patching/window.h"

struct live_traps;
struct shim_panics;

/* Context: startup, once. */
void live_traps_init(const struct shim_panics *panics);

/* From here on a thread that comes to one of those patches whose result is 0 and that need int3 waits; first it calls
 * `on_trap`, which says whether it has called live_traps_forked. NULL: int3 cannot be used. Context: startup, or in a
 * call of dlopen. */
struct live_traps *live_traps_arm(const struct patch *patches, size_t count, bool (*on_trap)(void));

/* None of these patches has int3 any more, and no processor runs one: those that wait go on. The handler goes if
 * no trap is on its way to it, of an earlier round neither. Context: as above. */
void live_traps_disarm(struct live_traps *traps, enum live_sight sight);

/* The same in a child that was forked meanwhile, where no thread is left. Context: any. */
void live_traps_forked(void);

#endif
