#include "preload/cli/locate.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the folder that this program is in; NULL on failure. */
static char *locate_own_folder(void)
{
    char *path = realpath("/proc/self/exe", NULL);
    char *slash = path ? strrchr(path, '/') : NULL;

    if (slash)
        *slash = '\0';
    return path;
}

/* The first of two paths relative to this program's folder that is there. */
static char *locate_file(const char *in_build, const char *installed)
{
    const char *const candidates[] = {in_build, installed};
    char *folder = locate_own_folder();
    char *result = NULL;

    for (size_t i = 0; folder && !result && i < sizeof(candidates) / sizeof(*candidates); i++) {
        char *path;

        if (asprintf(&path, "%s/%s", folder, candidates[i]) < 0)
            break;
        result = realpath(path, NULL);
        free(path);
    }
    free(folder);
    return result;
}

char *locate_preload_object(void)
{
    return locate_file("preload/libcallmeter.so", CALLMETER_LIBDIR_FROM_BINDIR "/libcallmeter.so");
}

char *locate_presets(void)
{
    return locate_file("symbols/presets", CALLMETER_DATADIR_FROM_BINDIR "/callmeter/presets");
}

char *locate_schema(void)
{
    return locate_file("symbols/manifest.schema.json", CALLMETER_DATADIR_FROM_BINDIR "/callmeter/manifest.schema.json");
}
