/* What `run` and `check` are asked for: a program, and the manifests that are meant for it. */
#ifndef CALLMETER_PRELOAD_CLI_REQUEST_H
#define CALLMETER_PRELOAD_CLI_REQUEST_H

#include "preload/cli/options.h"
#include "preload/cli/program.h"

struct manifest;

/* Embedded by the caller; zeroed, it may be finished. */
struct request {
    struct cli_options options;
    struct program program;
    struct manifest *manifest;
    char *manifests; /* the paths, as CALLMETER_MANIFEST has them */
};

/* Reads the command line, loads the manifests and finds the program; warns if they are not for it. Returns 0, or the
 * exit code, when a line has gone to stderr. */
int request_init(struct request *request, const char *command, enum cli_option_set set, int argc, char **argv);

void request_finish(struct request *request);

#endif
