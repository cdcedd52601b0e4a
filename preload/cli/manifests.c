#include "preload/cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/cli/auto.h"
#include "preload/cli/locate.h"
#include "preload/cli/program.h"
#include "symbols/common/diag.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"

void cli_verror(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        return;
    for (char *c = text; *c; c++) /* names of files may hold anything; a line stays one line */
        if ((unsigned char)*c < ' ' || *c == '\x7f')
            *c = '?';
    fprintf(stderr, "callmeter: %s\n", text);
    free(text);
}

void cli_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    cli_verror(format, arguments);
    va_end(arguments);
}

static int cli_out_of_memory(void)
{
    cli_error("%s", strerror(ENOMEM));
    return CLI_EXIT_BROKEN;
}

/* Takes `path` over. */
static int cli_manifests_append(struct cli_manifests *manifests, char *path)
{
    char **paths = reallocarray(manifests->paths, manifests->count + 1, sizeof(*paths));

    if (!paths) {
        free(path);
        return cli_out_of_memory();
    }
    manifests->paths = paths;
    manifests->paths[manifests->count++] = path;
    return 0;
}

/* The path is resolved, so that the program may change its working directory. The environment's list has no way to
 * write a colon that is part of a path. */
int cli_manifests_add(struct cli_manifests *manifests, const char *path)
{
    char *absolute = realpath(path, NULL);

    if (!absolute) {
        int error = errno;

        if (access(path, F_OK) == 0) /* /dev/fd/3, say */
            cli_error("%s: a pipe, which can be read only once; expected a file", path);
        else
            cli_error("%s: %s", path, strerror(error));
        return CLI_EXIT_MANIFEST;
    }
    if (strchr(absolute, ':')) {
        cli_error("%s: the path of a manifest must have no colon, which separates paths in CALLMETER_MANIFEST",
                  absolute);
        free(absolute);
        return CLI_EXIT_MANIFEST;
    }
    return cli_manifests_append(manifests, absolute);
}

int cli_manifests_add_preset(struct cli_manifests *manifests, const char *name)
{
    char *folder;
    char *path = NULL;
    int result;

    if (strcmp(name, CLI_PRESET_AUTO) == 0) {
        if (!manifests->has_auto)
            manifests->auto_position = manifests->count;
        manifests->has_auto = true;
        return 0;
    }
    folder = locate_presets();
    if (!folder) {
        cli_error("the shipped manifests are not there: callmeter is not installed whole");
        return CLI_EXIT_BROKEN;
    }
    if (asprintf(&path, "%s/%s.json", folder, name) < 0) {
        free(folder);
        return cli_out_of_memory();
    }
    if (!*name || strchr(name, '/') || access(path, F_OK) < 0) {
        cli_error("there is no preset %s; `callmeter presets` lists them", name);
        result = CLI_EXIT_MANIFEST;
    } else {
        result = cli_manifests_add(manifests, path);
    }
    free(folder);
    free(path);
    return result;
}

static bool cli_manifests_has(const struct cli_manifests *manifests, const char *path)
{
    for (size_t i = 0; i < manifests->count; i++) {
        if (strcmp(manifests->paths[i], path) == 0)
            return true;
    }
    return false;
}

/* Takes the paths of `chosen` over, but for those that are there already. */
static int cli_manifests_insert(struct cli_manifests *manifests, struct cli_manifests *chosen)
{
    size_t at = manifests->auto_position;
    char **paths = reallocarray(manifests->paths, manifests->count + chosen->count + 1, sizeof(*paths));

    if (!paths)
        return cli_out_of_memory();
    manifests->paths = paths;
    for (size_t i = 0; i < chosen->count; i++) {
        if (cli_manifests_has(manifests, chosen->paths[i]))
            continue;
        memmove(paths + at + 1, paths + at, (manifests->count - at) * sizeof(*paths));
        paths[at++] = chosen->paths[i];
        chosen->paths[i] = NULL;
        manifests->count++;
    }
    return 0;
}

static int cli_manifests_choose(const char *name, struct cli_manifests *chosen)
{
    struct program program = {0};
    struct diag diag = {0};
    char **paths = NULL;
    size_t count = 0;
    int result = program_init(&program, name, &diag);

    if (result != 0)
        cli_error("%s", diag.text);
    else
        result = auto_choose(&program, name, &paths, &count);
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = cli_manifests_add(chosen, paths[i]);
        free(paths[i]);
    }
    free(paths);
    program_finish(&program);
    return result;
}

int cli_manifests_expand(struct cli_manifests *manifests, const char *program)
{
    struct cli_manifests chosen = {0};
    int result;

    if (!manifests->has_auto)
        return 0;
    result = cli_manifests_choose(program, &chosen);
    if (result == 0)
        result = cli_manifests_insert(manifests, &chosen);
    if (result == 0 && manifests->count == 0) {
        cli_error("no preset fits %s; name a manifest by -m", program);
        result = CLI_EXIT_MANIFEST;
    }
    manifests->has_auto = false;
    cli_manifests_finish(&chosen);
    return result;
}

static char *cli_manifests_join(const struct cli_manifests *manifests)
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

int cli_manifests_load(const struct cli_manifests *manifests, char **ret_joined, struct manifest **ret_manifest)
{
    struct diag diag = {0};
    char *joined = cli_manifests_join(manifests);

    if (!joined)
        return cli_out_of_memory();
    if (manifest_load(joined, ret_manifest, &diag) < 0) {
        cli_error("%s", diag.text);
        free(joined);
        return CLI_EXIT_MANIFEST;
    }
    *ret_joined = joined;
    return 0;
}

void cli_manifests_finish(struct cli_manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++)
        free(manifests->paths[i]);
    free(manifests->paths);
    memset(manifests, 0, sizeof(*manifests));
}

/* Of a path that is relative to the working directory; links and `..` stay. NULL where it is none, or on failure. */
static char *cli_absolute(const char *path)
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
static bool cli_matches_path(const char *pattern, const char *path)
{
    char *absolute = cli_absolute(path);
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

static bool cli_matches_program(const char *pattern, const char *name, const struct program *program)
{
    return cli_matches_path(pattern, name) || cli_matches_path(pattern, program->path) ||
           cli_matches_path(pattern, program->elf_path);
}

bool cli_matches_executables(const struct manifest *manifest, const char *name, const struct program *program)
{
    for (size_t i = 0; i < manifest->executable_count; i++) {
        if (cli_matches_program(manifest->executables[i], name, program))
            return true;
    }
    return manifest->executable_count == 0;
}

void cli_warn_executables(const struct manifest *manifest, const char *pattern, const char *name,
                          const struct program *program)
{
    if (pattern) {
        if (!cli_matches_program(pattern, name, program))
            cli_error("warning: %s does not match %s, so it is not instrumented; a program that it starts may be", name,
                      pattern);
        return;
    }
    if (cli_matches_executables(manifest, name, program))
        return;
    cli_error("warning: %s matches none of the manifest's executables (%s%s), so it is not instrumented; a program "
              "that it starts may be",
              name, manifest->executables[0], manifest->executable_count > 1 ? ", ..." : "");
}
