/* The manifest: from files to a checked struct. */
#include "symbols/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/diag.h"
#include "symbols/manifest_function.h"
#include "symbols/manifest_read.h"
#include "symbols/manifest_reader.h"

#define DEFAULT_NAMESPACE "callmeter"
#define DEFAULT_LISTEN    "127.0.0.1:9464"

static const double default_buckets[] = {1e-06, 1e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                         0.025, 0.05,  0.1,    0.25,    0.5,    1,     2.5,    5,     10};

static int draft_init(struct manifest_draft *draft)
{
    *draft = (struct manifest_draft){.manifest = calloc(1, sizeof *draft->manifest)};
    return draft->manifest ? 0 : -ENOMEM;
}

static int default_string(char **string, const char *value)
{
    if (!*string)
        *string = strdup(value);
    return *string ? 0 : -ENOMEM;
}

static int default_function(struct manifest_function *function, const double *buckets, size_t count)
{
    if (function->buckets)
        return 0;
    function->buckets = calloc(count + 1, sizeof *function->buckets);
    if (!function->buckets)
        return -ENOMEM;
    memcpy(function->buckets, buckets, count * sizeof *buckets);
    function->bucket_count = count;
    return 0;
}

static int apply_defaults(const struct manifest_draft *draft)
{
    struct manifest *manifest = draft->manifest;
    const double *buckets = default_buckets;
    size_t count = sizeof default_buckets / sizeof *default_buckets;
    int result = 0;

    if (draft->default_buckets) {
        buckets = draft->default_buckets;
        count = draft->default_bucket_count;
    }
    if (default_string(&manifest->namespace_, DEFAULT_NAMESPACE) || default_string(&manifest->listen, DEFAULT_LISTEN))
        return -ENOMEM;
    for (size_t i = 0; result == 0 && i < manifest->function_count; i++)
        result = default_function(&manifest->functions[i], buckets, count);
    return result;
}

/* Ends the draft: gives the manifest out if all went well so far, else drops it. */
static int draft_finish(struct manifest_draft *draft, int result, struct manifest **ret_manifest, struct diag *diag)
{
    if (result == 0)
        result = apply_defaults(draft);
    if (result == -ENOMEM)
        diag_set(diag, "out of memory while the manifest was read");
    if (result == 0)
        *ret_manifest = draft->manifest;
    else
        manifest_destroy(draft->manifest);
    free(draft->default_buckets);
    return result;
}

static int read_document(struct manifest_draft *draft, const char *text, size_t length, const char *file,
                         struct diag *diag)
{
    if (length > MANIFEST_BYTES_MAX) {
        diag_set(diag, "%s:1:1: $: the document is too long; expected at most %d bytes", file, MANIFEST_BYTES_MAX);
        return -EINVAL;
    }
    return manifest_read_document(draft, text, length, file, diag);
}

int manifest_parse(const char *text, size_t length, const char *file, struct manifest **ret_manifest, struct diag *diag)
{
    struct manifest_draft draft;
    int result = draft_init(&draft);

    if (result == 0)
        result = read_document(&draft, text, length, file, diag);
    return draft_finish(&draft, result, ret_manifest, diag);
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
    text = malloc(bytes);
    length = text ? read_bytes(fd, text, bytes) : -ENOMEM;
    (void)close(fd);
    if (length < 0) {
        free(text);
        return (int)length;
    }
    *ret_text = text;
    *ret_length = (size_t)length;
    return 0;
}

static int load_file(struct manifest_draft *draft, const char *path, struct diag *diag)
{
    size_t length = 0;
    char *text = NULL;
    int result = read_file(path, &text, &length);

    if (result) {
        diag_set(diag, "%s: cannot be read: %s", path, strerrordesc_np(-result));
        return result;
    }
    result = read_document(draft, text, length, path, diag);
    free(text);
    return result;
}

/* `list` is cut up. */
static int load_list(struct manifest_draft *draft, char *list, struct diag *diag)
{
    bool is_empty = true;
    int result = 0;

    for (char *path = strsep(&list, ":"); path && result == 0; path = strsep(&list, ":")) {
        if (!*path)
            continue;
        is_empty = false;
        result = load_file(draft, path, diag);
    }
    if (!is_empty)
        return result;
    diag_set(diag, "no manifest is named; expected paths separated by \":\"");
    return -EINVAL;
}

int manifest_load(const char *paths, struct manifest **ret_manifest, struct diag *diag)
{
    char *list = strdup(paths);
    struct manifest_draft draft;
    int result = draft_init(&draft);

    if (result == 0)
        result = list ? load_list(&draft, list, diag) : -ENOMEM;
    free(list);
    return draft_finish(&draft, result, ret_manifest, diag);
}

void manifest_destroy(struct manifest *manifest)
{
    if (!manifest)
        return;
    free(manifest->namespace_);
    manifest_reader_free_labels(manifest->labels, manifest->label_count);
    free(manifest->listen);
    for (size_t i = 0; i < manifest->executable_count; i++)
        free(manifest->executables[i]);
    free(manifest->executables);
    for (size_t i = 0; i < manifest->function_count; i++)
        manifest_function_finish(&manifest->functions[i]);
    free(manifest->functions);
    free(manifest);
}
