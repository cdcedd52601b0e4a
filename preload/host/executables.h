/* Which processes a manifest means: a look at one key of it, without reading the rest. */
#ifndef CALLMETER_PRELOAD_HOST_EXECUTABLES_H
#define CALLMETER_PRELOAD_HOST_EXECUTABLES_H

#include <stdbool.h>
#include <stddef.h>

/* Notes the first argument of the process, which is the name that it was given; NULL if it has none. Before all others.
 * Context: startup. */
void executables_init(const char *argument);

/* True if the process goes by a name that one of the patterns matches: base name or absolute path of its executable, of
 * what it was started by, or of its first argument. `list` is `count` globs. Context: startup. */
bool executables_match(const char *const *list, size_t count);

/* True if a program by that path, with that first argument (or NULL), would match: by the base name or the absolute
 * path of either, or of what the path is a link to. Context: signal. */
bool executables_match_path(const char *pattern, const char *path, const char *argument);

/* True if the manifests (`:`-separated paths) mean this process: one that has `executables` matches, or none has any. A
 * list that is no JSON, or has escapes, says yes where no other one matches or refuses: the control module, which reads
 * it all, then reports what is wrong, or asks again. Context: startup. */
bool executables_match_manifests(const char *paths);

/* True if the manifests mean programs that this one execs, too: they have `executables`, or say `follow_exec`. Context:
 * startup. */
bool executables_are_followed(const char *paths);

#endif
