/* What the kinds of functions are. */
#include "symbols/manifest/kind.h"

#include <assert.h>

#include "symbols/manifest/reader.h"

enum {
    LABELS_MAX = 3,
};

static const double call_buckets[] = {1e-06, 1e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                      0.025, 0.05,  0.1,    0.25,    0.5,    1,     2.5,    5,     10};

/* Batches take longer than calls. */
static const double batch_buckets[] = {0.01, 0.1, 1, 10, 60, 300, 1800, 7200};

static const struct manifest_word words[] = {
    {"function", MANIFEST_KIND_FUNCTION},
    {"operation", MANIFEST_KIND_OPERATION},
    {"message_processor", MANIFEST_KIND_MESSAGE_PROCESSOR},
    {"loop", MANIFEST_KIND_LOOP},
    {"worker", MANIFEST_KIND_WORKER},
    {"batch_job", MANIFEST_KIND_BATCH_JOB},
    {"dependency", MANIFEST_KIND_DEPENDENCY},
    {"upstream", MANIFEST_KIND_UPSTREAM},
    {"query", MANIFEST_KIND_QUERY},
    {"transaction", MANIFEST_KIND_TRANSACTION},
    {"health_check", MANIFEST_KIND_HEALTH_CHECK},
    {"http_handler", MANIFEST_KIND_HTTP_HANDLER},
    {NULL, 0},
};

static const char *const labels[][LABELS_MAX + 1] = {
    [MANIFEST_KIND_DEPENDENCY] = {"dependency", "operation"},
    [MANIFEST_KIND_UPSTREAM] = {"upstream", "endpoint"},
    [MANIFEST_KIND_QUERY] = {"database", "table"},
    [MANIFEST_KIND_TRANSACTION] = {"transaction"},
    [MANIFEST_KIND_HEALTH_CHECK] = {"dependency"},
    [MANIFEST_KIND_HTTP_HANDLER] = {"method", "route", "code"},
};

/* The table has them in the order of the enumeration. */
const char *manifest_kind_name(enum manifest_kind kind)
{
    assert(words[kind].value == (int)kind);
    return words[kind].word;
}

int manifest_kind_read(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       enum manifest_kind *ret_kind)
{
    int kind;
    const int result = manifest_reader_word(reader, path, value, "kind", words, &kind);

    if (result == 0)
        *ret_kind = (enum manifest_kind)kind;
    return result;
}

const char *const *manifest_kind_labels(enum manifest_kind kind)
{
    return labels[kind];
}

bool manifest_kind_has_items(enum manifest_kind kind)
{
    return kind == MANIFEST_KIND_WORKER || kind == MANIFEST_KIND_BATCH_JOB;
}

const double *manifest_kind_buckets(enum manifest_kind kind, size_t *ret_count)
{
    if (manifest_kind_has_items(kind)) {
        *ret_count = sizeof batch_buckets / sizeof *batch_buckets;
        return batch_buckets;
    }
    *ret_count = sizeof call_buckets / sizeof *call_buckets;
    return call_buckets;
}
