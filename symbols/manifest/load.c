/* The manifest: from files to a checked struct. */
#include "symbols/manifest/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/common/bulk.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/document.h"
#include "symbols/manifest/function.h"
#include "symbols/manifest/label.h"
#include "symbols/manifest/panics.h"
#include "symbols/manifest/resource.h"
#include "symbols/manifest/web.h"

#define DEFAULT_NAMESPACE "callmeter"
#define DEFAULT_LISTEN    "127.0.0.1:9464"

static struct manifest *create_manifest(void)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);

    if (!manifest)
        return NULL;
    manifest->overhead_budget = 1;
    if (manifest_panics_init(&manifest->panics)) {
        free(manifest);
        return NULL;
    }
    return manifest;
}

static int default_string(char **string, const char *value)
{
    if (!*string)
        *string = strdup(value);
    return *string ? 0 : -ENOMEM;
}

/* Ends the reading: gives the manifest out if all went well so far, else drops it. */
static int finish_manifest(struct manifest *manifest, int result, struct manifest **ret_manifest, struct diag *diag)
{
    if (result == 0 &&
        (default_string(&manifest->namespace_, DEFAULT_NAMESPACE) || default_string(&manifest->listen, DEFAULT_LISTEN)))
        result = -ENOMEM;
    if (result == -ENOMEM)
        diag_set(diag, "out of memory while the manifest was read");
    if (result == 0)
        *ret_manifest = manifest;
    else
        manifest_destroy(manifest);
    return result;
}

static int read_document(struct manifest *manifest, const char *text, size_t length, const char *file,
                         struct diag *diag)
{
    if (length > MANIFEST_BYTES_MAX) {
        diag_set(diag, "%s:1:1: $: the document is too long; expected at most %d bytes", file, MANIFEST_BYTES_MAX);
        return -EINVAL;
    }
    return manifest_read_document(manifest, text, length, file, diag);
}

int manifest_parse(const char *text, size_t length, const char *file, struct manifest **ret_manifest, struct diag *diag)
{
    struct manifest *manifest = create_manifest();
    const int result = manifest ? read_document(manifest, text, length, file, diag) : -ENOMEM;

    return finish_manifest(manifest, result, ret_manifest, diag);
}

/* A FIFO without a writer ends at once instead of blocking the program's start. */
static int open_file(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int flags;

    if (fd < 0)
        return -errno;
    flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

/* Reads until the end or until `bytes` are there. */
static ssize_t read_bytes(int fd, char *text, size_t bytes)
{
    size_t length = 0;

    while (length < bytes) {
        const ssize_t got = read(fd, text + length, bytes - length);

        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Reads up to one byte more than a manifest may have; the caller frees *ret_text. */
static int read_file(const char *path, char **ret_text, size_t *ret_length)
{
    const size_t bytes = (size_t)MANIFEST_BYTES_MAX + 1;
    const int fd = open_file(path);
    char *text;
    ssize_t length;

    if (fd < 0)
        return fd;
    text = bulk_calloc(1, bytes);
    length = text ? read_bytes(fd, text, bytes) : -ENOMEM;
    (void)close(fd);
    if (length < 0) {
        bulk_free(text);
        return (int)length;
    }
    *ret_text = text;
    *ret_length = (size_t)length;
    return 0;
}

static int load_file(struct manifest *manifest, const char *path, struct diag *diag)
{
    size_t length = 0;
    char *text = NULL;
    int result = read_file(path, &text, &length);

    if (result) {
        diag_set(diag, "%s: cannot be read: %s", path, strerrordesc_np(-result));
        return result;
    }
    result = read_document(manifest, text, length, path, diag);
    bulk_free(text);
    return result;
}

/* `list` is cut up. */
static int load_list(struct manifest *manifest, char *list, struct diag *diag)
{
    bool is_empty = true;
    int result = 0;

    for (char *path = strsep(&list, ":"); path && result == 0; path = strsep(&list, ":")) {
        if (!*path)
            continue;
        is_empty = false;
        result = load_file(manifest, path, diag);
    }
    if (!is_empty)
        return result;
    diag_set(diag, "no manifest is named; expected paths separated by \":\"");
    return -EINVAL;
}

int manifest_load(const char *paths, struct manifest **ret_manifest, struct diag *diag)
{
    char *list = strdup(paths);
    struct manifest *manifest = create_manifest();
    const int result = list && manifest ? load_list(manifest, list, diag) : -ENOMEM;

    free(list);
    return finish_manifest(manifest, result, ret_manifest, diag);
}

void manifest_destroy(struct manifest *manifest)
{
    if (!manifest)
        return;
    free(manifest->namespace_);
    manifest_label_free(manifest->labels, manifest->label_count);
    free(manifest->listen);
    for (size_t i = 0; i < manifest->executable_count; i++)
        free(manifest->executables[i]);
    free(manifest->executables);
    for (size_t i = 0; i < manifest->function_count; i++)
        manifest_function_finish(&manifest->functions[i]);
    free(manifest->functions);
    for (size_t i = 0; i < manifest->resource_count; i++)
        manifest_resource_finish(&manifest->resources[i]);
    free(manifest->resources);
    manifest_panics_finish(&manifest->panics);
    free(manifest->state_dir);
    manifest_web_finish(&manifest->web);
    free(manifest);
}
