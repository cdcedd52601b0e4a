/* Functions of libraries that the program loads later.
 *
 * The manifest is kept, and room for them was made in the segment (late_reserve): a row for each entry that found
 * nothing, and a number of further ones for patterns. When a library comes, the entries that may mean it are resolved
 * in it alone, and tracked as at the start. What was made for it is a *visit*, which is kept when the library goes: the
 * rows keep their counts, and hooks and stubs serve again when the same functions come back, wherever they are loaded
 * then. So memory is bounded by the functions that ever came, and not by how often they did. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_LATE_H
#define CALLMETER_PRELOAD_CONTROL_LATE_LATE_H

#include "preload/control/late/library.h"
#include "preload/control/tracking/tracked.h"

struct late_visit;

/* How much room to make. Context: startup. */
struct track_reserve late_reserve(const struct manifest *manifest, const struct resolution *resolution);

/* -ENOMEM: nothing that comes later is tracked. `resolution` is that of the start, whose rows are in the segment.
 * Context: startup. */
int late_init(const struct late_config *config, const struct resolution *resolution);

/* The functions of an object of the start that are tracked, so that they can go; NULL: there are none. Context:
 * startup. */
struct late_visit *late_note(const struct resolution *resolution, uintptr_t load_bias);

/* A library is about to arrive: a runtime that it brings limits it, and whatever comes with it or later. `soname` may
 * be NULL. Context: as late_arrive. */
void late_expect(const char *path, const char *soname);

/* Tracks what the manifest means in the library. NULL: nothing. *ret_has_ifuncs: there are IFUNCs to come back for.
 * Context: in a call of dlopen, one thread at a time, signals blocked. */
struct late_visit *late_arrive(const struct late_object *object, enum late_pass pass, bool *ret_has_ifuncs);

/* The library was unmapped: nothing of it is touched. Takes NULL. Context: as late_arrive, in a call of dlclose. */
void late_leave(struct late_visit *visit);

/* False if the jumps that were written are not there any more: what has the library's place and name now is not the
 * library that was visited. NULL: true. */
bool late_is_in_place(const struct late_visit *visit);

#endif
