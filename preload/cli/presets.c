/* `callmeter presets`: the manifests that are shipped. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/locate.h"

static int presets_is_manifest(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static int presets_compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int cli_presets(int argc, char **argv)
{
    char *folder;
    struct dirent **entries = NULL;
    int count;

    if (argc > 1)
        return cli_usage("presets", "%s: presets takes no argument", argv[1]);
    folder = locate_presets();
    count = folder ? scandir(folder, &entries, presets_is_manifest, presets_compare) : -1;
    if (count < 0) {
        cli_error("the shipped manifests are not there: callmeter is not installed whole");
        free(folder);
        return CLI_EXIT_BROKEN;
    }
    for (int i = 0; i < count; i++) {
        int length = (int)strlen(entries[i]->d_name) - 5;

        printf("%-16.*s  %s/%s\n", length, entries[i]->d_name, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return CLI_EXIT_OK;
}
