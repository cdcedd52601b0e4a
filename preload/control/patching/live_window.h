/* Private to live*.c: the bytes of one window, in the order in which they are written. live.h names the steps. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_WINDOW_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_WINDOW_H

#include <stdbool.h>

#include "preload/control/patching/window.h"

/* An instruction begins within the jump's bytes, behind the first: a thread may stand there. */
bool live_window_has_inside(const struct patch *patch);

/* One of the instructions whose beginnings the jump replaces is a system call: a thread may sleep there. */
bool live_window_has_call(const struct patch *patch);

/* It is closed with int3. */
bool live_window_needs_trap(const struct patch *patch);

/* Each writes to a window whose page is writable. One whose jump is one store is all there when it is closed: the
 * others do nothing to it. Context of all: any. */
void live_window_close(const struct patch *patch);
void live_window_fill(const struct patch *patch);
void live_window_admit(const struct patch *patch);

/* Instead of filling it and admitting to it: it was closed, and is as it was. */
void live_window_give_back(const struct patch *patch);

#endif
