#include "preload/cli/presets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/locate.h"
#include "preload/cli/say.h"

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

static int is_manifest(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int init_preset(struct preset *preset, const char *folder, const char *file)
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

static int fill(struct presets *presets, const char *folder, struct dirent *const *entries, size_t count)
{
    presets->presets = calloc(count + 1, sizeof(*presets->presets));
    if (!presets->presets)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        presets->count++;
        if (init_preset(&presets->presets[i], folder, entries[i]->d_name) < 0)
            return -ENOMEM;
    }
    return 0;
}

int presets_init(struct presets *presets)
{
    char *folder = locate_presets();
    struct dirent **entries = NULL;
    int count = folder ? scandir(folder, &entries, is_manifest, compare) : -1;
    int result = 0;

    memset(presets, 0, sizeof(*presets));
    if (count < 0) {
        say_error("the shipped manifests are not there: callmeter is not installed whole");
        result = CLI_EXIT_BROKEN;
    } else if (fill(presets, folder, entries, (size_t)count) < 0) {
        result = say_out_of_memory();
        presets_finish(presets);
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
