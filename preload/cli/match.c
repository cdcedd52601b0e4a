#include "preload/cli/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/cli/program.h"
#include "preload/cli/say.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"

/* Of a path that is relative to the working directory; links and `..` stay. NULL where it is none, or on failure. */
static char *absolute_of(const char *path)
{
    char *folder;
    char *absolute = NULL;

    if (path[0] == '/' || !strchr(path, '/'))
        return NULL;
    while (path[0] == '.' && path[1] == '/')
        path += 1 + strspn(path + 1, "/");
    folder = getcwd(NULL, 0);
    if (folder && asprintf(&absolute, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", path) < 0)
        absolute = NULL;
    free(folder);
    return absolute;
}

/* Matches the absolute path or the base name, as it is written and with symbolic links resolved. */
static bool matches_path(const char *pattern, const char *path)
{
    char *absolute = absolute_of(path);
    char *real = realpath(path, NULL);
    bool is_match = false;
    const char *const paths[] = {path, absolute, real};

    for (size_t i = 0; i < 3 && !is_match; i++) {
        const char *slash = paths[i] ? strrchr(paths[i], '/') : NULL;

        if (paths[i])
            is_match = name_glob(pattern, paths[i]) || name_glob(pattern, slash ? slash + 1 : paths[i]);
    }
    free(absolute);
    free(real);
    return is_match;
}

static bool matches_program(const char *pattern, const char *name, const struct program *program)
{
    return matches_path(pattern, name) || matches_path(pattern, program->path) ||
           matches_path(pattern, program->elf_path);
}

bool match_executables(const struct manifest *manifest, const char *name, const struct program *program)
{
    for (size_t i = 0; i < manifest->executable_count; i++) {
        if (matches_program(manifest->executables[i], name, program))
            return true;
    }
    return manifest->executable_count == 0;
}

void match_warn(const struct manifest *manifest, const char *pattern, const char *name, const struct program *program)
{
    if (pattern) {
        if (!matches_program(pattern, name, program))
            say_error("warning: %s does not match %s, so it is not instrumented; a program that it starts may be", name,
                      pattern);
        return;
    }
    if (match_executables(manifest, name, program))
        return;
    say_error("warning: %s matches none of the manifest's executables (%s%s), so it is not instrumented; a program "
              "that it starts may be",
              name, manifest->executables[0], manifest->executable_count > 1 ? ", ..." : "");
}
