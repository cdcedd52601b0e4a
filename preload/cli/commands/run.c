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
#include "preload/cli/request.h"
#include "preload/cli/say.h"

/* LD_PRELOAD with our object in front of what is there; blanks and colons separate its elements, and a dollar begins a
 * token (ld.so(8)), so a path that has one cannot be written. */
static int set_preload(void)
{
    char *object = locate_preload_object();
    const char *other = getenv("LD_PRELOAD");
    char *list = NULL;
    int result = CLI_EXIT_BROKEN;

    if (!object) {
        say_error("libcallmeter.so is not there: callmeter is not installed whole");
    } else if (strpbrk(object, " \t\n:$")) {
        say_error("%s: a path with a blank, a colon or a dollar cannot be preloaded; install callmeter elsewhere",
                  object);
    } else if (asprintf(&list, "%s%s%s", object, other && *other ? ":" : "", other ? other : "") < 0 ||
               setenv("LD_PRELOAD", list, 1) < 0) {
        result = say_out_of_memory();
    } else {
        result = 0;
    }
    free(object);
    free(list);
    return result;
}

static int set_environment(const struct cli_options *options, const char *manifests)
{
    bool is_set = setenv("CALLMETER_MANIFEST", manifests, 1) == 0;

    if (options->listen)
        is_set &= setenv("CALLMETER_LISTEN", options->listen, 1) == 0;
    if (options->exe)
        is_set &= setenv("CALLMETER_EXE", options->exe, 1) == 0;
    if (options->is_strict)
        is_set &= setenv("CALLMETER_STRICT", "1", 1) == 0;
    if (!is_set)
        return say_out_of_memory();
    return set_preload();
}

static int become(const struct cli_options *options, const struct program *program)
{
    int error;

    execvp(program->path, options->command);
    error = errno;
    say_error("%s: %s", options->command[0], strerror(error));
    return error == ENOENT ? CLI_EXIT_NOT_FOUND : CLI_EXIT_NOT_RUNNABLE;
}

int cli_run(int argc, char **argv)
{
    struct request request;
    int result = request_init(&request, "run", CLI_OPTIONS_RUN, argc, argv);

    if (result == 0)
        result = set_environment(&request.options, request.manifests);
    if (result == 0)
        result = become(&request.options, &request.program);
    request_finish(&request);
    return result;
}
