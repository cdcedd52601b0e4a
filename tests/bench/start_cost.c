/* What a program that is instrumented pays at its start: the time from exec to main, and memory.
 *
 * Usage: start_cost MARKER SHIM MANIFEST PROGRAM WHAT BOUND: from the start of PROGRAM to its main, where MARKER
 * (at_main.c) ends it, with and without SHIM. BOUND is in seconds, 0 for none. start_cost resident SHIM MANIFEST
 * PROGRAM WHAT BOUND: what PROGRAM, which copies its input to its output as cat does, has resident when it has done so
 * and its endpoint is there. BOUND is in MiB. */
#include "measure.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 21,
    VARIABLES = 6,
    RESULT_FILE = 3,
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static char *variable(const char *name, const char *value)
{
    char *text = NULL;

    if (asprintf(&text, "%s=%s", name, value) < 0)
        exit(1);
    return text;
}

static char *both(const char *first, const char *second)
{
    char *text = NULL;

    if (asprintf(&text, "LD_PRELOAD=%s:%s", first, second) < 0)
        exit(1);
    return text;
}

/* Starts a program with descriptors 0 to `count` - 1 as given. */
static pid_t spawn(const char *program, char *const environment[], const int *files, int count)
{
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < count; i++)
        if (files[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, files[i], i);
    if (posix_spawn(&child, program, &actions, NULL, arguments, environment) != 0)
        die(program);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

struct start {
    double seconds;
    double mebibytes;
};

static struct start time_start(const char *program, char *const environment[])
{
    int ends[2];
    char text[64] = "";
    unsigned long long at_main;
    long kilobytes;
    uint64_t begin;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe");
    begin = now_ns();
    child = spawn(program, environment, (const int[]){-1, -1, -1, ends[1]}, RESULT_FILE + 1);
    close(ends[1]);
    if (read(ends[0], text, sizeof(text) - 1) <= 0 || sscanf(text, "%llu %ld", &at_main, &kilobytes) != 2) {
        fprintf(stderr, "%s: has not come to its main\n", program);
        exit(1);
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return (struct start){(double)(at_main - begin) / 1e9, (double)kilobytes / 1024};
}

static void measure_start(char **argv)
{
    char *bare[] = {variable("LD_PRELOAD", argv[1]), NULL};
    char *metered[VARIABLES] = {both(argv[1], argv[2]), variable("CALLMETER_MANIFEST", argv[3]),
                                variable("CALLMETER_LISTEN", "none"), variable("CALLMETER_LOG", "error"), NULL};
    double seconds[2][ROUNDS], mebibytes[2][ROUNDS];
    char what[128];

    for (int round = 0; round < ROUNDS; round++) {
        for (int way = 0; way < 2; way++) {
            struct start start = time_start(argv[4], way ? metered : bare);

            seconds[way][round] = start.seconds;
            mebibytes[way][round] = start.mebibytes;
        }
    }
    snprintf(what, sizeof(what), "%s, exec to main", argv[5]);
    report(what, undisturbed(seconds[1], ROUNDS), "s", strtod(argv[6], NULL));
    snprintf(what, sizeof(what), "%s, bare", argv[5]);
    report(what, undisturbed(seconds[0], ROUNDS), "s", 0);
    snprintf(what, sizeof(what), "%s, memory at main, added", argv[5]);
    report(what, median(mebibytes[1], ROUNDS) - median(mebibytes[0], ROUNDS), "MiB", 0);
}

static double resident_mebibytes(pid_t child)
{
    char name[64], line[256];
    long kilobytes = 0;
    FILE *file;

    snprintf(name, sizeof(name), "/proc/%d/smaps_rollup", (int)child);
    file = fopen(name, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "Rss: %ld", &kilobytes) == 1)
            break;
    if (!file || kilobytes == 0)
        die(name);
    fclose(file);
    return (double)kilobytes / 1024;
}

/* Waits for the file with the endpoint's address, which is moved to its place; up to 10 s. */
static void wait_for_endpoint(const char *port_file)
{
    for (int i = 0; i < 10000 && access(port_file, F_OK) != 0; i++)
        usleep(1000);
    if (unlink(port_file) != 0)
        die(port_file);
}

/* port_file: NULL: there is no endpoint. */
static double measure_one(const char *program, char *const environment[], const char *port_file)
{
    int in[2], out[2];
    char byte = 'x';
    double mebibytes;
    pid_t child;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    child = spawn(program, environment, (const int[]){in[0], out[1]}, 2);
    close(in[0]);
    close(out[1]);
    if (write(in[1], &byte, 1) != 1 || read(out[0], &byte, 1) != 1)
        die(program);
    if (port_file)
        wait_for_endpoint(port_file);
    mebibytes = resident_mebibytes(child);
    close(in[1]);
    close(out[0]);
    waitpid(child, NULL, 0);
    return mebibytes;
}

static void measure_resident(char **argv)
{
    char folder[] = "/tmp/start_cost.XXXXXX";
    char port_file[64];
    char *bare[] = {NULL};
    char *metered[VARIABLES] = {variable("LD_PRELOAD", argv[2]), variable("CALLMETER_MANIFEST", argv[3]),
                                variable("CALLMETER_LISTEN", "127.0.0.1:0"), NULL};
    double added[ROUNDS];

    if (!mkdtemp(folder))
        die(folder);
    snprintf(port_file, sizeof(port_file), "%s/port", folder);
    metered[3] = variable("CALLMETER_PORT_FILE", port_file);
    for (int round = 0; round < ROUNDS; round++)
        added[round] = measure_one(argv[4], metered, port_file) - measure_one(argv[4], bare, NULL);
    rmdir(folder);
    report(argv[5], median(added, ROUNDS), "MiB", strtod(argv[6], NULL));
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: %s MARKER|resident SHIM MANIFEST PROGRAM WHAT BOUND\n", argv[0]);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[1], "resident") == 0)
        measure_resident(argv);
    else
        measure_start(argv);
    return 0;
}
