/* `-p auto`: which of the shipped manifests have something to show of a program. */
#ifndef CALLMETER_PRELOAD_CLI_AUTO_H
#define CALLMETER_PRELOAD_CLI_AUTO_H

#include <stdbool.h>
#include <stddef.h>

struct program;

/* Picks presets for a program, without running it. A preset fits if its `executables`, where it has any, match the
 * program, and at least one of its functions is in the program or in a library that the program is loaded with, however
 * indirectly that is needed. General presets, which fit every program, are left out; but if nothing else fits, the one
 * that shows most is taken. A library that would come by dlopen(3) is not known here.
 *
 * `name` is what the command line calls the program. The paths in *ret_paths (free each, and the array) are in the
 * order of the presets' names. Returns 0, or the exit code that the command line owes; a line has then gone to stderr.
 */
int auto_choose(const struct program *program, const char *name, char ***ret_paths, size_t *ret_count);

#endif
