#include "preload/cli/auto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/libraries.h"
#include "preload/cli/match.h"
#include "preload/cli/presets.h"
#include "preload/cli/program.h"
#include "preload/cli/say.h"
#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

/* What one choice looks at. */
struct auto_choice {
    const struct program *program;
    const char *name;
    struct object **objects; /* the program and its libraries, in load order */
    size_t object_count;
};

/* What cannot be read has no functions to offer, so that is no error here: `callmeter check` names it. */
static int open_objects(struct auto_choice *choice)
{
    struct libraries libraries = {0};
    struct diag diag = {0};

    libraries_init(&libraries, choice->program->elf_path, &diag); /* on failure: the program alone */
    choice->objects = calloc(libraries.count + 1, sizeof(struct object *));
    if (choice->objects) {
        if (object_open(choice->program->elf_path, 0, true, &choice->objects[0], &diag) == 0)
            choice->object_count = 1;
        for (size_t i = 0; choice->object_count > 0 && i < libraries.count; i++) {
            if (object_open(libraries.paths[i], 0, false, &choice->objects[choice->object_count], &diag) == 0)
                choice->object_count++;
        }
    }
    libraries_finish(&libraries);
    return choice->objects ? 0 : -ENOMEM;
}

static void close_objects(struct auto_choice *choice)
{
    for (size_t i = 0; i < choice->object_count; i++)
        object_close(choice->objects[i]);
    free(choice->objects);
}

static bool has_function(const struct auto_choice *choice, const struct manifest *manifest)
{
    static const struct resolve_options options = {0};
    struct resolution resolution = {0};
    struct diag diag = {0};
    bool is_found = false;

    if (resolve_manifest(manifest, choice->objects, choice->object_count, &options, &resolution, &diag) < 0)
        return false;
    for (size_t i = 0; i < resolution.count && !is_found; i++)
        is_found = resolution.targets[i].state == RESOLVE_FOUND;
    resolution_finish(&resolution);
    return is_found;
}

/* A file in the presets' folder that is no manifest has been put there by somebody else: it says so, and the rest goes
 * on. */
static bool fits(const struct auto_choice *choice, const char *path)
{
    struct manifest *manifest = NULL;
    struct diag diag = {0};
    bool is_fit;

    if (manifest_load(path, &manifest, &diag) < 0) {
        say_error("warning: %s", diag.text);
        return false;
    }
    is_fit = match_executables(manifest, choice->name, choice->program) && has_function(choice, manifest);
    manifest_destroy(manifest);
    return is_fit;
}

static int pick(const struct auto_choice *choice, struct presets *presets, char ***ret_paths, size_t *ret_count)
{
    struct preset *fallback = NULL;
    char **paths = calloc(presets->count + 1, sizeof(*paths));
    size_t count = 0;

    if (!paths)
        return -ENOMEM;
    for (size_t i = 0; i < presets->count; i++) {
        struct preset *preset = &presets->presets[i];

        if (preset->is_fallback)
            fallback = preset;
        if (preset->is_general || !fits(choice, preset->path))
            continue;
        paths[count++] = preset->path;
        preset->path = NULL;
    }
    if (count == 0 && fallback && fallback->path) {
        paths[count++] = fallback->path;
        fallback->path = NULL;
    }
    *ret_paths = paths;
    *ret_count = count;
    return 0;
}

int auto_choose(const struct program *program, const char *name, char ***ret_paths, size_t *ret_count)
{
    struct auto_choice choice = {.program = program, .name = name};
    struct presets presets = {0};
    int result = presets_init(&presets);

    if (result != 0)
        return result;
    result = open_objects(&choice);
    if (result == 0)
        result = pick(&choice, &presets, ret_paths, ret_count);
    close_objects(&choice);
    presets_finish(&presets);
    return result == 0 ? 0 : say_out_of_memory();
}
