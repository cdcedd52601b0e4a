/* The options of the commands that take manifests and a program: read once, for all of them. */
#ifndef CALLMETER_PRELOAD_CLI_OPTIONS_H
#define CALLMETER_PRELOAD_CLI_OPTIONS_H

#include <stdbool.h>

#include "preload/cli/manifests.h"

/* What a command takes besides -m, -p and --help. */
enum cli_option_set {
    CLI_OPTIONS_RUN,   /* -l, --strict, --exe; the program's arguments behind it */
    CLI_OPTIONS_CHECK, /* --json; the program alone */
};

/* Embedded by the caller; zeroed, it may be finished. */
struct cli_options {
    struct cli_manifests manifests;
    const char *listen; /* or NULL */
    const char *exe;    /* or NULL */
    bool is_strict;
    bool is_json;
    char **command; /* the program and its arguments, NULL at the end */
};

/* Reads them; where no manifest is named, CALLMETER_MANIFEST must be there. Returns 0, or the exit code, when a line
 * has gone to stderr. */
int options_parse(struct cli_options *options, const char *command, enum cli_option_set set, int argc, char **argv);

void options_finish(struct cli_options *options);

#endif
