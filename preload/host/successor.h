/* Which of the programs that this one execs get the shim: those that `executables` names, and the program itself, when
 * it execs itself anew (nginx's binary upgrade, sshd, a server that restarts).
 *
 * The program itself is the file that it runs from, or what lies at that path now. Where the file is only the means to
 * run something else (a shell, an interpreter, env, make), the arguments must be the same too: `sh` that starts another
 * `sh` is no restart. */
#ifndef CALLMETER_PRELOAD_HOST_SUCCESSOR_H
#define CALLMETER_PRELOAD_HOST_SUCCESSOR_H

#include <stdbool.h>
#include <stddef.h>

/* Notes the patterns, which may be none, and what this program is. All is copied. Context: startup. */
void successor_init(const char *const *patterns, size_t count, char *const *arguments);

/* True if a program that is exec'ed with these arguments gets the shim. `path` is relative to `directory`, as in
 * execveat(2); empty: it is the open file `directory`. Context: signal. */
bool successor_is_wanted(int directory, const char *path, char *const *arguments);

/* The same for a name that is searched for as execvp(3) does. Context: signal. */
bool successor_is_name_wanted(const char *name, char *const *arguments);

#endif
