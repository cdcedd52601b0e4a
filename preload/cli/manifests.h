/* The manifests that a command line names: files by -m, shipped ones by -p, and those of `-p auto`. */
#ifndef CALLMETER_PRELOAD_CLI_MANIFESTS_H
#define CALLMETER_PRELOAD_CLI_MANIFESTS_H

#include <stdbool.h>
#include <stddef.h>

struct manifest;

/* The manifests that a command line names, in order. Embedded by the caller; zeroed, it is empty. */
struct cli_manifests {
    char **paths; /* absolute */
    size_t count;
    bool has_auto;        /* `-p auto` was given, and manifests_expand has not been called yet */
    size_t auto_position; /* how many paths stand before it */
};

/* The preset that stands for those that fit the program. */
#define MANIFESTS_AUTO "auto"

/* Appends the file that `-m` names, or that of a shipped preset. On failure one line has gone to stderr and the exit
 * code is returned, else 0. */
int manifests_add(struct cli_manifests *manifests, const char *path);
int manifests_add_preset(struct cli_manifests *manifests, const char *name);

/* Puts in the place of `-p auto`, if that was given, the presets that fit the program which the command line calls
 * `program`, without those that are named anyway. Errors as above, those of a program that cannot be run included. */
int manifests_expand(struct cli_manifests *manifests, const char *program);

/* Joins the paths as CALLMETER_MANIFEST has them (with none, takes what the environment has) and loads them. The caller
 * owns both results. Errors as above. */
int manifests_load(const struct cli_manifests *manifests, char **ret_joined, struct manifest **ret_manifest);

void manifests_finish(struct cli_manifests *manifests);

#endif
