/* The command line program `callmeter`: what its commands share. It uses symbols/ and execs; it is never loaded into
 * another program.
 *
 * Exit codes are those of the contract and, beside them, of sysexits.h. */
#ifndef CALLMETER_PRELOAD_CLI_CLI_H
#define CALLMETER_PRELOAD_CLI_CLI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct diag;
struct manifest;
struct program;

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

/* The manifests that a command line names, in order. Embedded by the caller; zeroed, it is empty. */
struct cli_manifests {
    char **paths; /* absolute */
    size_t count;
    bool has_auto;        /* `-p auto` was given, and cli_manifests_expand has not been called yet */
    size_t auto_position; /* how many paths stand before it */
};

/* The preset that stands for those that fit the program. */
#define CLI_PRESET_AUTO "auto"

/* Appends the file that `-m` names, or that of a shipped preset. On failure one line has gone to stderr and the exit
 * code is returned, else 0. */
int cli_manifests_add(struct cli_manifests *manifests, const char *path);
int cli_manifests_add_preset(struct cli_manifests *manifests, const char *name);

/* Puts in the place of `-p auto`, if that was given, the presets that fit the program which the command line calls
 * `program`, without those that are named anyway. Errors as above, those of a program that cannot be run included. */
int cli_manifests_expand(struct cli_manifests *manifests, const char *program);

/* Joins the paths as CALLMETER_MANIFEST has them (with none, takes what the environment has) and loads them. The caller
 * owns both results. Errors as above. */
int cli_manifests_load(const struct cli_manifests *manifests, char **ret_joined, struct manifest **ret_manifest);

void cli_manifests_finish(struct cli_manifests *manifests);

/* Warns on stderr if the program goes by no name that the manifest's `executables` (or, where it is given, `pattern`)
 * match: it would run, but not be instrumented. */
void cli_warn_executables(const struct manifest *manifest, const char *pattern, const char *name,
                          const struct program *program);

/* True if the manifest has no `executables`, or one of them matches the program, which the command line calls `name`.
 */
bool cli_matches_executables(const struct manifest *manifest, const char *name, const struct program *program);

/* Writes "callmeter: TEXT" to stderr, on one line whatever the text holds. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_verror(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* The commands. argv[0] is the program's name, options begin at argv[1]; they return the exit code. */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_panics(int argc, char **argv);
int cli_presets(int argc, char **argv);
int cli_schema(int argc, char **argv);

/* Writes what --help says of one command, or of all (NULL). Returns false if there is no such command. */
bool cli_print_help(const char *command);

/* Refuses a command line: one line to stderr, and the way to --help. Returns CLI_EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
