/* `callmeter presets`: the manifests that are shipped, or those that `-p auto` would take for a program. */
#include "preload/cli/presets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/locate.h"

struct preset_text {
    const char *name;
    const char *shows;
    bool is_general;
    bool is_fallback;
};

static const struct preset_text preset_texts[] = {
    {"libc-io", "read, write, send, recv, connect, accept and fsync of any program, errors by errno", true, true},
    {"libcurl", "transfers with their error codes, handles, rounds of the multi interface", false, false},
    {"libevent", "rounds of the event loop, events added and activated, buffers, HTTP replies by code", false, false},
    {"libpq", "PostgreSQL connections, queries, prepared statements by name, results by status, COPY", false, false},
    {"lua", "protected calls, coroutines and chunks loaded with their errors, garbage collection", false, false},
    {"malloc", "calls of malloc, calloc, realloc and free of any program, counted only", true, false},
    {"nginx", "requests, error responses by code, upstream attempts, cache, TLS, the event loop, connections", false,
     false},
    {"openssl", "TLS handshakes, reads and writes, what SSL_get_error answered, certificates checked", false, false},
    {"redis", "commands one by one, clients, the event loop, expiry, eviction, saving", false, false},
    {"sqlite3", "databases opened, statements prepared, rows and results of steps, logged errors", false, false},
    {"zlib", "deflate and inflate with their errors, streams, checksums (sampled)", false, false},
};

static int presets_is_manifest(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static int presets_compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int preset_init(struct preset *preset, const char *folder, const char *file)
{
    preset->name = strndup(file, strlen(file) - 5);
    if (!preset->name || asprintf(&preset->path, "%s/%s", folder, file) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(preset_texts) / sizeof(*preset_texts); i++) {
        if (strcmp(preset_texts[i].name, preset->name) != 0)
            continue;
        preset->shows = preset_texts[i].shows;
        preset->is_general = preset_texts[i].is_general;
        preset->is_fallback = preset_texts[i].is_fallback;
    }
    return 0;
}

static int presets_fill(struct presets *presets, const char *folder, struct dirent *const *entries, size_t count)
{
    presets->presets = calloc(count + 1, sizeof(*presets->presets));
    if (!presets->presets)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        presets->count++;
        if (preset_init(&presets->presets[i], folder, entries[i]->d_name) < 0)
            return -ENOMEM;
    }
    return 0;
}

int presets_init(struct presets *presets)
{
    char *folder = locate_presets();
    struct dirent **entries = NULL;
    int count = folder ? scandir(folder, &entries, presets_is_manifest, presets_compare) : -1;
    int result = 0;

    memset(presets, 0, sizeof(*presets));
    if (count < 0) {
        cli_error("the shipped manifests are not there: callmeter is not installed whole");
        result = CLI_EXIT_BROKEN;
    } else if (presets_fill(presets, folder, entries, (size_t)count) < 0) {
        cli_error("%s", strerror(ENOMEM));
        presets_finish(presets);
        result = CLI_EXIT_BROKEN;
    }
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(folder);
    return result;
}

void presets_finish(struct presets *presets)
{
    for (size_t i = 0; i < presets->count; i++) {
        free(presets->presets[i].name);
        free(presets->presets[i].path);
    }
    free(presets->presets);
    memset(presets, 0, sizeof(*presets));
}

static const struct preset *presets_find_path(const struct presets *presets, const char *path)
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

static void presets_print(const struct preset *preset)
{
    printf("%-8s  %s\n", preset->name, preset->shows ? preset->shows : preset->path);
}

/* Lists what `-p auto` stands for. */
static int presets_print_for(const struct presets *presets, const char *program)
{
    struct cli_manifests manifests = {0};
    int result = cli_manifests_add_preset(&manifests, CLI_PRESET_AUTO);

    if (result == 0)
        result = cli_manifests_expand(&manifests, program);
    for (size_t i = 0; result == 0 && i < manifests.count; i++) {
        const struct preset *preset = presets_find_path(presets, manifests.paths[i]);

        if (preset)
            presets_print(preset);
    }
    cli_manifests_finish(&manifests);
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
        return cli_usage("presets", "more than one program");
    result = presets_init(&presets);
    if (result != 0)
        return result;
    if (argc == 2)
        result = presets_print_for(&presets, argv[1]);
    else
        for (size_t i = 0; i < presets.count; i++)
            presets_print(&presets.presets[i]);
    presets_finish(&presets);
    return result;
}
