#include "preload/cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/say.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

enum {
    OPTION_STRICT = 256,
    OPTION_EXE,
    OPTION_JSON,
};

static const struct option run_options[] = {{"manifest", required_argument, NULL, 'm'},
                                            {"preset", required_argument, NULL, 'p'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"strict", no_argument, NULL, OPTION_STRICT},
                                            {"exe", required_argument, NULL, OPTION_EXE},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};

static const struct option check_options[] = {{"manifest", required_argument, NULL, 'm'},
                                              {"preset", required_argument, NULL, 'p'},
                                              {"json", no_argument, NULL, OPTION_JSON},
                                              {"help", no_argument, NULL, 'h'},
                                              {0}};

static int set_listen(struct cli_options *options, const char *command, const char *listen)
{
    struct diag diag = {0};

    if (manifest_check_listen(listen, &diag) < 0)
        return say_usage(command, "-l %s: %s", listen, diag.text);
    options->listen = listen;
    return 0;
}

static int set_exe(struct cli_options *options, const char *command, const char *glob)
{
    struct diag diag = {0};
    bool is_glob;

    if (!*glob)
        return say_usage(command, "--exe: empty; expected a name or a glob");
    if (manifest_check_glob(glob, &is_glob, &diag) < 0)
        return say_usage(command, "--exe %s: %s", glob, diag.text);
    options->exe = glob;
    return 0;
}

static int take(struct cli_options *options, const char *command, int option)
{
    switch (option) {
    case 'm':
        return manifests_add(&options->manifests, optarg);
    case 'p':
        return manifests_add_preset(&options->manifests, optarg);
    case 'l':
        return set_listen(options, command, optarg);
    case OPTION_STRICT:
        options->is_strict = true;
        return 0;
    case OPTION_EXE:
        return set_exe(options, command, optarg);
    case OPTION_JSON:
        options->is_json = true;
        return 0;
    default:
        return say_usage(command, NULL);
    }
}

static int take_program(struct cli_options *options, const char *command, enum cli_option_set set, int argc,
                        char **argv)
{
    if (optind == argc)
        return say_usage(command, "no program to %s", command);
    if (set == CLI_OPTIONS_CHECK && optind != argc - 1)
        return say_usage(command, "more than one program");
    if (options->manifests.count == 0 && !options->manifests.has_auto && !getenv("CALLMETER_MANIFEST"))
        return say_usage(command, "no manifest: name one by -m or -p, or in CALLMETER_MANIFEST");
    options->command = argv + optind;
    return 0;
}

/* Before a program's arguments, options end at `--` or at the program's name, since what follows is its own. */
int options_parse(struct cli_options *options, const char *command, enum cli_option_set set, int argc, char **argv)
{
    bool is_run = set == CLI_OPTIONS_RUN;
    int option;

    memset(options, 0, sizeof(*options));
    while ((option = getopt_long(argc, argv, is_run ? "+m:p:l:h" : "m:p:h", is_run ? run_options : check_options,
                                 NULL)) != -1) {
        int result = take(options, command, option);

        if (result != 0)
            return result;
    }
    return take_program(options, command, set, argc, argv);
}

void options_finish(struct cli_options *options)
{
    manifests_finish(&options->manifests);
}
