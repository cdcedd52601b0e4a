/* `callmeter presets`: the manifests that are shipped, or those that `-p auto` would take for a program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/manifests.h"
#include "preload/cli/presets.h"
#include "preload/cli/say.h"

static const struct preset *find_path(const struct presets *presets, const char *path)
{
    for (size_t i = 0; i < presets->count; i++) {
        char *absolute = realpath(presets->presets[i].path, NULL);
        bool is_same = absolute && strcmp(absolute, path) == 0;

        free(absolute);
        if (is_same)
            return &presets->presets[i];
    }
    return NULL;
}

static void print(const struct preset *preset)
{
    printf("%-8s  %s\n", preset->name, preset->shows ? preset->shows : preset->path);
}

/* Lists what `-p auto` stands for. */
static int print_for(const struct presets *presets, const char *program)
{
    struct cli_manifests manifests = {0};
    int result = manifests_add_preset(&manifests, MANIFESTS_AUTO);

    if (result == 0)
        result = manifests_expand(&manifests, program);
    for (size_t i = 0; result == 0 && i < manifests.count; i++) {
        const struct preset *preset = find_path(presets, manifests.paths[i]);

        if (preset)
            print(preset);
    }
    manifests_finish(&manifests);
    return result;
}

int cli_presets(int argc, char **argv)
{
    struct presets presets;
    int result;

    if (argc > 1 && strcmp(argv[1], "--") == 0) {
        argc--;
        argv++;
    }
    if (argc > 2)
        return say_usage("presets", "more than one program");
    result = presets_init(&presets);
    if (result != 0)
        return result;
    if (argc == 2)
        result = print_for(&presets, argv[1]);
    else
        for (size_t i = 0; i < presets.count; i++)
            print(&presets.presets[i]);
    presets_finish(&presets);
    return result;
}
