/* Finding the program that a command line means, as execvp(3) would, and whether it can be preloaded. */
#ifndef CALLMETER_PRELOAD_CLI_PROGRAM_H
#define CALLMETER_PRELOAD_CLI_PROGRAM_H

#include <stdbool.h>

struct diag;

/* Embedded by the caller; zeroed, it may be finished. */
struct program {
    char *path;     /* the file to be executed; may be a script */
    char *elf_path; /* the ELF file that will run: itself, or the script's interpreter; symbolic links as they are */
};

/* Finds `name` and looks at it without running anything. Returns 0, or the exit code that the command line owes
 * (CLI_EXIT_NOT_FOUND, _NOT_RUNNABLE, _UNSUITABLE, _BROKEN) with the reason in the diag. */
int program_init(struct program *program, const char *name, struct diag *diag);

void program_finish(struct program *program);

#endif
