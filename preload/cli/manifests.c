#include "preload/cli/manifests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/cli/auto.h"
#include "preload/cli/cli.h"
#include "preload/cli/locate.h"
#include "preload/cli/program.h"
#include "preload/cli/say.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

/* Takes `path` over. */
static int append(struct cli_manifests *manifests, char *path)
{
    char **paths = reallocarray(manifests->paths, manifests->count + 1, sizeof(*paths));

    if (!paths) {
        free(path);
        return say_out_of_memory();
    }
    manifests->paths = paths;
    manifests->paths[manifests->count++] = path;
    return 0;
}

/* The path is resolved, so that the program may change its working directory. The environment's list has no way to
 * write a colon that is part of a path. */
int manifests_add(struct cli_manifests *manifests, const char *path)
{
    char *absolute = realpath(path, NULL);

    if (!absolute) {
        int error = errno;

        if (access(path, F_OK) == 0) /* /dev/fd/3, say */
            say_error("%s: a pipe, which can be read only once; expected a file", path);
        else
            say_error("%s: %s", path, strerror(error));
        return CLI_EXIT_MANIFEST;
    }
    if (strchr(absolute, ':')) {
        say_error("%s: the path of a manifest must have no colon, which separates paths in CALLMETER_MANIFEST",
                  absolute);
        free(absolute);
        return CLI_EXIT_MANIFEST;
    }
    return append(manifests, absolute);
}

int manifests_add_preset(struct cli_manifests *manifests, const char *name)
{
    char *folder;
    char *path = NULL;
    int result;

    if (strcmp(name, MANIFESTS_AUTO) == 0) {
        if (!manifests->has_auto)
            manifests->auto_position = manifests->count;
        manifests->has_auto = true;
        return 0;
    }
    folder = locate_presets();
    if (!folder) {
        say_error("the shipped manifests are not there: callmeter is not installed whole");
        return CLI_EXIT_BROKEN;
    }
    if (asprintf(&path, "%s/%s.json", folder, name) < 0) {
        free(folder);
        return say_out_of_memory();
    }
    if (!*name || strchr(name, '/') || access(path, F_OK) < 0) {
        say_error("there is no preset %s; `callmeter presets` lists them", name);
        result = CLI_EXIT_MANIFEST;
    } else {
        result = manifests_add(manifests, path);
    }
    free(folder);
    free(path);
    return result;
}

static bool has_path(const struct cli_manifests *manifests, const char *path)
{
    for (size_t i = 0; i < manifests->count; i++) {
        if (strcmp(manifests->paths[i], path) == 0)
            return true;
    }
    return false;
}

/* Takes the paths of `chosen` over, but for those that are there already. */
static int insert(struct cli_manifests *manifests, struct cli_manifests *chosen)
{
    size_t at = manifests->auto_position;
    char **paths = reallocarray(manifests->paths, manifests->count + chosen->count + 1, sizeof(*paths));

    if (!paths)
        return say_out_of_memory();
    manifests->paths = paths;
    for (size_t i = 0; i < chosen->count; i++) {
        if (has_path(manifests, chosen->paths[i]))
            continue;
        memmove(paths + at + 1, paths + at, (manifests->count - at) * sizeof(*paths));
        paths[at++] = chosen->paths[i];
        chosen->paths[i] = NULL;
        manifests->count++;
    }
    return 0;
}

static int choose(const char *name, struct cli_manifests *chosen)
{
    struct program program = {0};
    struct diag diag = {0};
    char **paths = NULL;
    size_t count = 0;
    int result = program_init(&program, name, &diag);

    if (result != 0)
        say_error("%s", diag.text);
    else
        result = auto_choose(&program, name, &paths, &count);
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = manifests_add(chosen, paths[i]);
        free(paths[i]);
    }
    free(paths);
    program_finish(&program);
    return result;
}

int manifests_expand(struct cli_manifests *manifests, const char *program)
{
    struct cli_manifests chosen = {0};
    int result;

    if (!manifests->has_auto)
        return 0;
    result = choose(program, &chosen);
    if (result == 0)
        result = insert(manifests, &chosen);
    if (result == 0 && manifests->count == 0) {
        say_error("no preset fits %s; name a manifest by -m", program);
        result = CLI_EXIT_MANIFEST;
    }
    manifests->has_auto = false;
    manifests_finish(&chosen);
    return result;
}

static char *join(const struct cli_manifests *manifests)
{
    char *joined = NULL;
    size_t bytes = 0;
    FILE *stream;

    if (manifests->count == 0)
        return strdup(getenv("CALLMETER_MANIFEST"));
    stream = open_memstream(&joined, &bytes);
    if (!stream)
        return NULL;
    for (size_t i = 0; i < manifests->count; i++)
        fprintf(stream, "%s%s", i ? ":" : "", manifests->paths[i]);
    if (fclose(stream) != 0) {
        free(joined);
        return NULL;
    }
    return joined;
}

int manifests_load(const struct cli_manifests *manifests, char **ret_joined, struct manifest **ret_manifest)
{
    struct diag diag = {0};
    char *joined = join(manifests);

    if (!joined)
        return say_out_of_memory();
    if (manifest_load(joined, ret_manifest, &diag) < 0) {
        say_error("%s", diag.text);
        free(joined);
        return CLI_EXIT_MANIFEST;
    }
    *ret_joined = joined;
    return 0;
}

void manifests_finish(struct cli_manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++)
        free(manifests->paths[i]);
    free(manifests->paths);
    memset(manifests, 0, sizeof(*manifests));
}
