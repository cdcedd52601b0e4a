/* The libraries that a program would be loaded with, in load order, without running any of its code. */
#ifndef CALLMETER_PRELOAD_CLI_LIBRARIES_H
#define CALLMETER_PRELOAD_CLI_LIBRARIES_H

#include <stddef.h>

struct diag;

/* Embedded by the caller; zeroed, it may be finished. */
struct libraries {
    char **paths;
    size_t count;
};

/* Asks the system's loader (ld.so --list), which honours RUNPATH, LD_LIBRARY_PATH, LD_PRELOAD and its cache. The loader
 * that the program names is not run, since that may be any file. It lists all or none: where it does not find one, it
 * says so itself. -errno, with the reason in the diag; what was found so far remains. */
int libraries_init(struct libraries *libraries, const char *elf_path, struct diag *diag);

void libraries_finish(struct libraries *libraries);

#endif
