/* The shim's way into programs that this one execs. */
#ifndef CALLMETER_PRELOAD_EXEC_H
#define CALLMETER_PRELOAD_EXEC_H

#include <stddef.h>

/* Notes the variables (LD_PRELOAD and callmeter's own, as "NAME=VALUE") that a program which one of the patterns
 * matches is to find again. All is copied. Context: startup, before the environment is cleaned. */
void exec_init(const char *const *patterns, size_t count);

/* Finds the real functions. Context: startup. */
void exec_resolve(void);

#endif
