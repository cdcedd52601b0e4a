/* Is a program one of those that a manifest is for? */
#ifndef CALLMETER_PRELOAD_CLI_MATCH_H
#define CALLMETER_PRELOAD_CLI_MATCH_H

#include <stdbool.h>

struct manifest;
struct program;

/* True if the manifest has no `executables`, or one of them matches the program, which the command line calls `name`.
 */
bool match_executables(const struct manifest *manifest, const char *name, const struct program *program);

/* Warns on stderr if the program goes by no name that the manifest's `executables` (or, where it is given, `pattern`)
 * match: it would run, but not be instrumented. */
void match_warn(const struct manifest *manifest, const char *pattern, const char *name, const struct program *program);

#endif
