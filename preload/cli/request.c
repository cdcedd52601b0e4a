#include "preload/cli/request.h"

#include <stdlib.h>

#include "preload/cli/manifests.h"
#include "preload/cli/match.h"
#include "preload/cli/say.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

static int find_program(struct request *request)
{
    const struct cli_options *options = &request->options;
    struct diag diag = {0};
    int result = program_init(&request->program, options->command[0], &diag);

    if (result != 0)
        say_error("%s", diag.text);
    else
        match_warn(request->manifest, options->exe ? options->exe : getenv("CALLMETER_EXE"), options->command[0],
                   &request->program);
    return result;
}

int request_init(struct request *request, const char *command, enum cli_option_set set, int argc, char **argv)
{
    struct cli_options *options = &request->options;
    int result;

    *request = (struct request){0};
    result = options_parse(options, command, set, argc, argv);
    if (result == 0)
        result = manifests_expand(&options->manifests, options->command[0]);
    if (result == 0)
        result = manifests_load(&options->manifests, &request->manifests, &request->manifest);
    return result == 0 ? find_program(request) : result;
}

void request_finish(struct request *request)
{
    program_finish(&request->program);
    manifest_destroy(request->manifest);
    free(request->manifests);
    options_finish(&request->options);
    *request = (struct request){0};
}
