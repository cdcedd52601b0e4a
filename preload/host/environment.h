/* The variables by which the shim is found: LD_PRELOAD, and callmeter's own. The program and what it execs are not to
 * see them; programs that are to be instrumented too find them again. */
#ifndef CALLMETER_PRELOAD_HOST_ENVIRONMENT_H
#define CALLMETER_PRELOAD_HOST_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Notes the variables as they are now. The path of `object` in LD_PRELOAD, and those in callmeter's own variables, are
 * made absolute: a program may change its directory before it execs another one. Context: startup, before
 * environment_clean. */
void environment_keep(const char *object);

/* The address that this process serves. Where it execs a program that is wanted, that one is told to listen there: it
 * is the same process, and scraped as before. Its children are not told. Context: server thread. */
void environment_keep_address(const char *address);

/* Takes `object` out of LD_PRELOAD and callmeter's own variables away, and leaves all else, its order included. The
 * variables move up in the array that the kernel made, `initial` (the third argument of constructors), and its end
 * stays where it is: behind it lies the auxiliary vector, which some runtimes look for there (Go). Calls nothing of
 * libc, which the program may have captured. Context: startup. */
void environment_clean(const char *object, char **initial);

/* Instead of that: the variables stay, with absolute paths. Context: startup, after environment_keep. */
void environment_share(void);

/* An environment for one exec; embedded by the caller. */
struct environment {
    char *const *variables;
    void *mapping; /* or NULL */
    size_t bytes;
};

enum environment_for {
    ENVIRONMENT_FOR_OTHERS,    /* a program that is not wanted (successor.h) */
    ENVIRONMENT_FOR_CHILD,     /* one that is, in a process of its own */
    ENVIRONMENT_FOR_SUCCESSOR, /* one that is, in this process */
};

/* What a program gets for the environment that it is to be given. One that is wanted: the kept variables too, unless
 * the caller has named a manifest and the shim itself. Any other one: the same, unless it is a copy of the environment
 * that this program was started with: that is cleaned. Where there is no memory: the same. Context: signal. */
void environment_begin(struct environment *environment, char *const *given, enum environment_for program);

/* Leaves errno alone. */
void environment_end(const struct environment *environment);

#endif
