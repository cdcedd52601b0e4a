/* What the preload object costs a program that is not instrumented: exec of /bin/true with nothing preloaded, with an
 * empty object, and with callmeter. Usage: exec_cost EMPTY_OBJECT CALLMETER_OBJECT MANIFEST-FOR-OTHERS. */
#include "measure.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum {
    ROUNDS = 401,
    VARIABLES = 4
};

enum way {
    NOTHING,
    EMPTY_OBJECT,
    NO_MANIFEST,
    OTHER_EXECUTABLE,
    DISABLED,
    WAYS,
};

static double samples[WAYS][ROUNDS];

static double time_exec(char *const environment[])
{
    char program[] = "/bin/true";
    char *arguments[] = {program, NULL};
    uint64_t start = now_ns();
    pid_t child;
    int status;

    if (posix_spawn(&child, program, NULL, NULL, arguments, environment) != 0 || waitpid(child, &status, 0) != child ||
        status != 0) {
        fprintf(stderr, "%s: cannot run, or it failed\n", program);
        exit(1);
    }
    return (double)(now_ns() - start);
}

/* Round by round against the empty object, so that a slow moment meets both. */
static double median_ratio(enum way way)
{
    double ratios[ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        ratios[round] = samples[way][round] / samples[EMPTY_OBJECT][round];
    return median(ratios, ROUNDS);
}

static char *variable(const char *name, const char *value)
{
    char *text = NULL;

    if (asprintf(&text, "%s=%s", name, value) < 0)
        exit(1);
    return text;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s EMPTY_OBJECT CALLMETER_OBJECT MANIFEST\n", argv[0]);
        return 64;
    }
    char *empty = variable("LD_PRELOAD", argv[1]);
    char *shim = variable("LD_PRELOAD", argv[2]);
    char *manifest = variable("CALLMETER_MANIFEST", argv[3]);
    char *disabled = variable("CALLMETER_DISABLE", "1");
    char *other = variable("CALLMETER_EXE", "no-such-program");
    char *environments[WAYS][VARIABLES] = {
        [NOTHING] = {NULL},
        [EMPTY_OBJECT] = {empty, NULL},
        [NO_MANIFEST] = {shim, NULL},
        [OTHER_EXECUTABLE] = {shim, manifest, other, NULL},
        [DISABLED] = {shim, manifest, disabled, NULL},
    };

    pin_to_cpu(0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int way = 0; way < WAYS; way++)
            samples[way][round] = time_exec(environments[way]);
    }
    report("exec, no manifest", median_ratio(NO_MANIFEST), "x empty object", 1.3);
    report("exec, other executable", median_ratio(OTHER_EXECUTABLE), "x empty object", 1.3);
    report("exec, disabled", median_ratio(DISABLED), "x empty object", 1.3);
    report("exec, nothing preloaded", median(samples[NOTHING], ROUNDS) / 1e6, "ms", 0);
    report("exec, empty object", median(samples[EMPTY_OBJECT], ROUNDS) / 1e6, "ms", 0);
    return 0;
}
