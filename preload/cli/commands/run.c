/* `callmeter run`: checks, sets the environment and becomes the program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/cli/cli.h"
#include "preload/cli/locate.h"
#include "preload/cli/options.h"
#include "preload/cli/program.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

/* LD_PRELOAD with our object in front of what is there; blanks and colons separate its elements, and a dollar begins a
 * token (ld.so(8)), so a path that has one cannot be written. */
static int run_set_preload(void)
{
    char *object = locate_preload_object();
    const char *other = getenv("LD_PRELOAD");
    char *list = NULL;
    int result = CLI_EXIT_BROKEN;

    if (!object) {
        cli_error("libcallmeter.so is not there: callmeter is not installed whole");
    } else if (strpbrk(object, " \t\n:$")) {
        cli_error("%s: a path with a blank, a colon or a dollar cannot be preloaded; install callmeter elsewhere",
                  object);
    } else if (asprintf(&list, "%s%s%s", object, other && *other ? ":" : "", other ? other : "") < 0 ||
               setenv("LD_PRELOAD", list, 1) < 0) {
        cli_error("%s", strerror(ENOMEM));
    } else {
        result = 0;
    }
    free(object);
    free(list);
    return result;
}

static int run_set_environment(const struct cli_options *options, const char *manifests)
{
    bool is_set = setenv("CALLMETER_MANIFEST", manifests, 1) == 0;

    if (options->listen)
        is_set &= setenv("CALLMETER_LISTEN", options->listen, 1) == 0;
    if (options->exe)
        is_set &= setenv("CALLMETER_EXE", options->exe, 1) == 0;
    if (options->is_strict)
        is_set &= setenv("CALLMETER_STRICT", "1", 1) == 0;
    if (!is_set) {
        cli_error("%s", strerror(ENOMEM));
        return CLI_EXIT_BROKEN;
    }
    return run_set_preload();
}

static int run_exec(const struct cli_options *options, const struct program *program)
{
    int error;

    execvp(program->path, options->command);
    error = errno;
    cli_error("%s: %s", options->command[0], strerror(error));
    return error == ENOENT ? CLI_EXIT_NOT_FOUND : CLI_EXIT_NOT_RUNNABLE;
}

static int run_checked(const struct cli_options *options)
{
    struct program program = {0};
    struct manifest *manifest = NULL;
    struct diag diag = {0};
    char *joined = NULL;
    int result = cli_manifests_load(&options->manifests, &joined, &manifest);

    if (result != 0)
        return result;
    result = program_init(&program, options->command[0], &diag);
    if (result != 0)
        cli_error("%s", diag.text);
    else
        cli_warn_executables(manifest, options->exe ? options->exe : getenv("CALLMETER_EXE"), options->command[0],
                             &program);
    if (result == 0)
        result = run_set_environment(options, joined);
    if (result == 0)
        result = run_exec(options, &program);
    program_finish(&program);
    manifest_destroy(manifest);
    free(joined);
    return result;
}

int cli_run(int argc, char **argv)
{
    struct cli_options options;
    int result = cli_options_parse(&options, "run", CLI_OPTIONS_RUN, argc, argv);

    if (result == 0)
        result = cli_manifests_expand(&options.manifests, options.command[0]);
    if (result == 0)
        result = run_checked(&options);
    cli_options_finish(&options);
    return result;
}
