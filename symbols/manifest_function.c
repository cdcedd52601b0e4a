/* Reads one entry of `functions`. */
#include "symbols/manifest_function.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/manifest.h"
#include "symbols/manifest_reader.h"

static const struct manifest_key keys[] = {
    {"symbol", true},       {"object", true},      {"name", true},       {"kind", true},
    {"labels", true},       {"returns", true},     {"error_when", true}, {"throttled_when", true},
    {"buckets", true},      {"mode", true},        {"optional", true},   {"offset", false},
    {"build_id", false},    {"error_type", false}, {"items", false},     {"native_histogram", false},
    {"sample_rate", false}, {"slo", false},        {"recover", false},   {NULL, false},
};

static const struct manifest_word return_types[] = {
    {"void", VALUE_VOID},       {"bool", VALUE_BOOL},
    {"int", VALUE_INT32},       {"int32", VALUE_INT32},
    {"uint32", VALUE_UINT32},   {"long", VALUE_INT64},
    {"int64", VALUE_INT64},     {"ssize_t", VALUE_INT64},
    {"uint64", VALUE_UINT64},   {"size_t", VALUE_UINT64},
    {"pointer", VALUE_POINTER}, {"float", VALUE_FLOAT},
    {"double", VALUE_DOUBLE},   {NULL, 0},
};

static const struct manifest_word modes[] = {
    {"auto", MANIFEST_MODE_AUTO},
    {"full", MANIFEST_MODE_FULL},
    {"count", MANIFEST_MODE_COUNT},
    {NULL, 0},
};

static const struct manifest_word kinds[] = {
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

/* Of an entry that is being read. */
struct entry {
    const struct manifest_reader *reader;
    json_t *value;
    struct manifest_function *function;
};

const char *manifest_kind_name(enum manifest_kind kind)
{
    return kinds[kind].word;
}

static int read_symbol(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_glob(entry->reader, path, value, &entry->function->symbol, &entry->function->is_glob);
}

/* Objects are known by base name and soname, which have no slash. */
static int read_object(const struct entry *entry, const struct json_path *path, json_t *value)
{
    const int result = manifest_reader_glob(entry->reader, path, value, &entry->function->object, NULL);

    if (result == 0 && strchr(entry->function->object, '/'))
        return manifest_reader_fail(entry->reader, path,
                                    "a path; expected a base name or soname, such as \"libc.so.6\"");
    return result;
}

static int read_name(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_label_value(entry->reader, path, value, &entry->function->name);
}

static int read_kind(const struct entry *entry, const struct json_path *path, json_t *value)
{
    int kind;
    const int result = manifest_reader_word(entry->reader, path, value, "kind", kinds, &kind);

    if (result)
        return result;
    if (kind != MANIFEST_KIND_FUNCTION && kind != MANIFEST_KIND_OPERATION)
        return manifest_reader_fail(entry->reader, path,
                                    "kind \"%s\" is not supported yet; expected \"function\" or \"operation\"",
                                    kinds[kind].word);
    entry->function->kind = (enum manifest_kind)kind;
    return 0;
}

static int read_labels(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_labels(entry->reader, path, value, &entry->function->labels, &entry->function->label_count);
}

static int read_returns(const struct entry *entry, const struct json_path *path, json_t *value)
{
    int type;
    const int result = manifest_reader_word(entry->reader, path, value, "type", return_types, &type);

    if (result == 0)
        entry->function->returns = (enum value_type)type;
    return result;
}

static int read_condition(const struct entry *entry, const struct json_path *path, json_t *value,
                          struct condition *ret_condition)
{
    const char *text;
    size_t offset;
    int result = manifest_reader_string(entry->reader, path, value, &text);

    if (result)
        return result;
    result = condition_compile(text, entry->function->returns, ret_condition, &offset, entry->reader->diag);
    if (result == -EINVAL)
        return manifest_reader_fail_inside(entry->reader, path, offset);
    return result ? manifest_reader_fail_memory(entry->reader) : 0;
}

static int read_error_when(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return read_condition(entry, path, value, &entry->function->error_when);
}

static int read_throttled_when(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return read_condition(entry, path, value, &entry->function->throttled_when);
}

static int read_buckets(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_buckets(entry->reader, path, value, &entry->function->buckets,
                                   &entry->function->bucket_count);
}

/* A count of entries knows neither results nor times. */
static int check_count_mode(const struct entry *entry, const struct json_path *path)
{
    static const char *const excluded[] = {"error_when", "throttled_when", "buckets"};

    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
        const struct json_path other = {.parent = path->parent, .key = excluded[i]};

        if (json_object_get(entry->value, excluded[i]))
            return manifest_reader_fail_key(
                entry->reader, &other, "mode \"count\" sees entries only; expected no \"%s\" beside it", excluded[i]);
    }
    return 0;
}

static int read_mode(const struct entry *entry, const struct json_path *path, json_t *value)
{
    int mode;
    const int result = manifest_reader_word(entry->reader, path, value, "mode", modes, &mode);

    if (result)
        return result;
    entry->function->mode = (enum manifest_mode)mode;
    return mode == MANIFEST_MODE_COUNT ? check_count_mode(entry, path) : 0;
}

static int read_optional(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_bool(entry->reader, path, value, &entry->function->is_optional);
}

static bool is_judged(const json_t *value)
{
    return json_object_get(value, "error_when") || json_object_get(value, "throttled_when");
}

int manifest_function_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           struct manifest_function *function)
{
    /* `returns` comes before the conditions, whose constants depend on it. */
    static const struct {
        const char *key;
        int (*read)(const struct entry *entry, const struct json_path *path, json_t *value);
    } parts[] = {
        {"symbol", read_symbol},
        {"object", read_object},
        {"name", read_name},
        {"kind", read_kind},
        {"labels", read_labels},
        {"returns", read_returns},
        {"error_when", read_error_when},
        {"throttled_when", read_throttled_when},
        {"buckets", read_buckets},
        {"mode", read_mode},
        {"optional", read_optional},
    };
    const struct entry entry = {.reader = reader, .value = value, .function = function};
    int result = manifest_reader_check_keys(reader, path, value, keys);

    if (result)
        return result;
    if (!json_object_get(value, "symbol"))
        return manifest_reader_fail(reader, path, "\"symbol\" is missing; expected the name of a function");
    function->returns = is_judged(value) ? VALUE_INT32 : VALUE_VOID;
    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof *parts; i++) {
        const struct json_path step = {.parent = path, .key = parts[i].key};
        json_t *part = json_object_get(value, parts[i].key);

        result = part ? parts[i].read(&entry, &step, part) : 0;
    }
    return result;
}

void manifest_function_finish(struct manifest_function *function)
{
    free(function->symbol);
    free(function->object);
    free(function->name);
    manifest_reader_free_labels(function->labels, function->label_count);
    condition_finish(&function->error_when);
    condition_finish(&function->throttled_when);
    free(function->buckets);
}
