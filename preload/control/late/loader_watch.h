/* Being told by ld.so that the list of objects has changed.
 *
 * ld.so calls an empty function (r_debug.r_brk, _dl_debug_state) for debuggers to stop at: when all objects of a dlopen
 * are mapped, before they are relocated and their constructors run, and when those of a dlclose are unmapped. All ways
 * to load a library come by here, also libc's own (name services, character sets, libgcc_s for cancellation). The
 * function is a single `ret` and the padding behind it, which together have room for a jump. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_LOADER_WATCH_H
#define CALLMETER_PRELOAD_CONTROL_LATE_LOADER_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct shim;

/* Has `changed` called there: with the loader's lock held, on the thread that calls dlopen or dlclose. False: the
 * function looks otherwise (a debugger is stopping at it), or cannot be written; `text` says which. Context: startup,
 * once. */
bool loader_watch_begin(const struct shim *shim, void (*changed)(void), char *text, size_t text_bytes);

#endif
