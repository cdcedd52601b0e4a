/* The program `callmeter`: finds the command and hands over. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/say.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *synopsis;
    const char *summary;
    const char *options;
};

static const struct command commands[] = {
    {"run", cli_run,
     "run [-m MANIFEST]... [-p PRESET]... [-l ADDRESS] [--strict] [--exe GLOB] [--] PROGRAM [ARGUMENT]...",
     "starts a program under callmeter",
     "  -m, --manifest FILE   which functions to meter; may be repeated, later files add to earlier ones\n"
     "  -p, --preset NAME     the same, of a shipped manifest (`callmeter presets`); auto: all that fit\n"
     "  -l, --listen ADDRESS  where to serve /metrics: host:port, [v6]:port, unix:/path or none\n"
     "      --strict          end with status 78 if some function cannot be tracked\n"
     "      --exe GLOB        instrument the programs of that name or path, instead of the manifest's `executables`\n"
     "\n"
     "Without -m and -p the manifests are those that CALLMETER_MANIFEST names. The exit code is the program's, or\n"
     "  64   the command line is wrong\n"
     "  65   the program cannot be preloaded\n"
     "  78   the manifest is wrong\n"
     "  126  the program is not executable\n"
     "  127  the program is not found\n"},
    {"check", cli_check, "check [-m MANIFEST]... [-p PRESET]... [--json] PROGRAM",
     "shows what would become of each function, and starts nothing",
     "  -m, --manifest FILE   which functions; may be repeated\n"
     "  -p, --preset NAME     the same, of a shipped manifest, or auto\n"
     "      --json            prints JSON\n"
     "\n"
     "Prints a line for each function: name, object, address, mode and reason. The mode is\n"
     "  full     its calls can be counted and timed\n"
     "  count    its calls can be counted, but not timed\n"
     "  refused  it cannot be tracked\n"
     "  missing  the program has no such function\n"
     "  pending  the library is not loaded at the start\n"
     "The exit code is 0 if all is well, 1 if some function that is not optional is refused or missing, else as of\n"
     "`callmeter run`.\n"},
    {"panics", cli_panics, "panics [--json] [URL|FOLDER]", "shows the reports of panics, newest first",
     "      --json            prints JSON: {\"panics\": [...]}\n"
     "\n"
     "URL is an endpoint, http://host:port or unix:/path; FOLDER is what the manifest calls `report_dir`. Without\n"
     "either: http://127.0.0.1:9464. The exit code is 0, or 69 if that cannot be read.\n"},
    {"presets", cli_presets, "presets [PROGRAM]", "lists the shipped manifests and what each shows",
     "With PROGRAM: those that `-p auto` takes for it.\n"},
    {"schema", cli_schema, "schema", "prints the JSON Schema of manifests", ""},
};

enum {
    COMMAND_COUNT = sizeof(commands) / sizeof(*commands)
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* Of one command, or of all (NULL). Returns false if there is no such command. */
static bool print_help(const char *name)
{
    const struct command *command = name ? command_find(name) : NULL;

    if (command) {
        printf("Usage: callmeter %s\n\nThis %s.\n%s%s", command->synopsis, command->summary,
               command->options[0] ? "\n" : "", command->options);
        return true;
    }
    if (name)
        return false;
    printf("Usage: callmeter COMMAND ...\n\nMeters functions of unmodified programs for Prometheus.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-8s  %s\n", commands[i].name, commands[i].summary);
    printf("\n`callmeter COMMAND --help` says more. `callmeter --version` prints the version.\n");
    return true;
}

/* Help is asked for by a command's first arguments; what stands behind the program's name is the program's own. */
static bool command_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int dispatch(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2)
        return say_usage(NULL, "no command");
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("callmeter %s\n", CALLMETER_VERSION);
        return CLI_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        if (print_help(argc > 2 ? argv[2] : NULL))
            return CLI_EXIT_OK;
        return say_usage(NULL, "%s: no such command", argv[2]);
    }
    command = command_find(argv[1]);
    if (!command)
        return say_usage(NULL, "%s: no such command", argv[1]);
    if (command_wants_help(argc - 1, argv + 1)) {
        print_help(command->name);
        return CLI_EXIT_OK;
    }
    argv[1] = argv[0]; /* what getopt's messages begin with */
    return command->run(argc - 1, argv + 1);
}

/* What could not be written, to a full disk say, was not done. */
int main(int argc, char **argv)
{
    int result = dispatch(argc, argv);

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    say_error("standard output cannot be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    return CLI_EXIT_BROKEN;
}
