/* The command line program `callmeter`: its commands and exit codes. It uses symbols/ and execs; it is never loaded
 * into another program. A file of this folder calls those further down alone:
 *
 *   commands/ > request > options > manifests > auto > match, presets > program > say and the others
 *
 * Exit codes are those of the contract and, beside them, of sysexits.h. */
#ifndef CALLMETER_PRELOAD_CLI_CLI_H
#define CALLMETER_PRELOAD_CLI_CLI_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_UNTRACKED = 1,      /* check: some function cannot be tracked */
    CLI_EXIT_USAGE = 64,         /* EX_USAGE */
    CLI_EXIT_UNSUITABLE = 65,    /* a program that cannot be preloaded */
    CLI_EXIT_UNAVAILABLE = 69,   /* EX_UNAVAILABLE: an endpoint or a folder that cannot be read */
    CLI_EXIT_BROKEN = 70,        /* EX_SOFTWARE: out of memory, or not installed whole */
    CLI_EXIT_MANIFEST = 78,      /* EX_CONFIG */
    CLI_EXIT_NOT_RUNNABLE = 126, /* as a shell has it */
    CLI_EXIT_NOT_FOUND = 127,
};

/* The commands. argv[0] is the program's name, options begin at argv[1]; they return the exit code. */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_panics(int argc, char **argv);
int cli_presets(int argc, char **argv);
int cli_schema(int argc, char **argv);

#endif
