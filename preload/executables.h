/* Which processes a manifest means: a look at one key of it, without reading the rest. */
#ifndef CALLMETER_PRELOAD_EXECUTABLES_H
#define CALLMETER_PRELOAD_EXECUTABLES_H

#include <stdbool.h>
#include <stddef.h>

/* True if the process goes by a name that one of the patterns matches: base name or absolute path of its executable, or
 * of what it was started by. `list` is `count` globs. Context: startup. */
bool executables_match(const char *const *list, size_t count);

/* True if a program by that path would match: by the path's base name, the path itself if it is absolute, or what it is
 * a link to. Context: signal. */
bool executables_match_path(const char *pattern, const char *path);

/* True if the manifests (`:`-separated paths) mean this process: the last of them that has `executables` decides, and
 * if none has, all processes are meant. A document that is no JSON says yes: the control module then reports what is
 * wrong with it. Context: startup. */
bool executables_match_manifests(const char *paths);

/* True if the manifests mean programs that this one execs, too: they have `executables`, or say `follow_exec`. Context:
 * startup. */
bool executables_are_followed(const char *paths);

#endif
