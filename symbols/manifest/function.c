/* Reads one entry of `functions`: first each key by itself, then what keys mean for each other. */
#include "symbols/manifest/function.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/manifest/kind.h"
#include "symbols/manifest/label.h"
#include "symbols/manifest/manifest.h"
#include "symbols/manifest/panics.h"
#include "symbols/manifest/reader.h"
#include "symbols/manifest/value_source.h"

enum {
    BUILD_ID_DIGITS_MIN = 4,
    BUILD_ID_DIGITS_MAX = 40,
};

static const struct manifest_key keys[] = {
    {"symbol", true},     {"offset", true},
    {"build_id", true},   {"object", true},
    {"name", true},       {"kind", true},
    {"labels", true},     {"returns", true},
    {"error_when", true}, {"throttled_when", true},
    {"error_type", true}, {"items", true},
    {"buckets", true},    {"mode", true},
    {"optional", true},   {"sample_rate", true},
    {"slo", true},        {"native_histogram", false},
    {"recover", true},    {"trust_signature", true},
    {NULL, false},
};

static const struct manifest_key items_keys[] = {
    {"arg", true}, {"farg", true}, {"ret", true}, {"param", true}, {"field", true}, {"type", true}, {NULL, false},
};

static const struct manifest_key slo_keys[] = {{"objective", true}, {"latency", true}, {NULL, false}};

static const struct manifest_word modes[] = {
    {"auto", MANIFEST_MODE_AUTO},
    {"full", MANIFEST_MODE_FULL},
    {"count", MANIFEST_MODE_COUNT},
    {NULL, 0},
};

static const struct manifest_word error_types[] = {
    {"errno", MANIFEST_ERROR_TYPE_ERRNO},
    {"ret", MANIFEST_ERROR_TYPE_RET},
    {NULL, 0},
};

/* Of an entry that is being read. */
struct entry {
    const struct manifest_reader *reader;
    json_t *value;
    const struct manifest_defaults *defaults;
    struct manifest_function *function;
};

static int read_symbol(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_glob(entry->reader, path, value, &entry->function->symbol, &entry->function->is_glob);
}

static int read_offset(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_hex(entry->reader, path, value, &entry->function->offset);
}

static int read_build_id(const struct entry *entry, const struct json_path *path, json_t *value)
{
    char **build_id = &entry->function->build_id;
    const int result = manifest_reader_copy(entry->reader, path, value, build_id);
    size_t length;

    if (result)
        return result;
    length = strlen(*build_id);
    if ((*build_id)[strspn(*build_id, "0123456789abcdefABCDEF")] || length % 2 || length < BUILD_ID_DIGITS_MIN ||
        length > BUILD_ID_DIGITS_MAX)
        return manifest_reader_fail(entry->reader, path,
                                    "not a build id; expected %d to %d hexadecimal digits, an even number of them",
                                    BUILD_ID_DIGITS_MIN, BUILD_ID_DIGITS_MAX);
    for (char *c = *build_id; *c; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c - 'A' + 'a');
    return 0;
}

static int read_object(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_object(entry->reader, path, value, &entry->function->object);
}

static int read_name(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_label_read_value(entry->reader, path, value, &entry->function->name);
}

static int read_kind(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_kind_read(entry->reader, path, value, &entry->function->kind);
}

static int read_mode(const struct entry *entry, const struct json_path *path, json_t *value)
{
    int mode;
    const int result = manifest_reader_word(entry->reader, path, value, "mode", modes, &mode);

    if (result == 0)
        entry->function->mode = (enum manifest_mode)mode;
    return result;
}

static int read_returns(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_value_read_type(entry->reader, path, value, MANIFEST_TYPES_RESULT, &entry->function->returns);
}

static int read_labels(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_label_read_function(entry->reader, path, value, entry->function);
}

static int read_items(const struct entry *entry, const struct json_path *path, json_t *value)
{
    const struct manifest_value_use use = {.what = "numbers of items are whole numbers",
                                           .types = MANIFEST_TYPES_WHOLE,
                                           .returns = entry->function->returns};
    const int result = manifest_reader_check_keys(entry->reader, path, value, items_keys);

    if (result)
        return result;
    if (!manifest_kind_has_items(entry->function->kind))
        return manifest_reader_fail_key(entry->reader, path,
                                        "kind \"%s\" has no items; expected kind \"worker\" or \"batch_job\"",
                                        manifest_kind_name(entry->function->kind));
    return manifest_value_read(entry->reader, path, value, &use, &entry->function->items);
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

static int read_error_type(const struct entry *entry, const struct json_path *path, json_t *value)
{
    int type;
    const int result = manifest_reader_word(entry->reader, path, value, "error type", error_types, &type);

    if (result)
        return result;
    if (!json_object_get(entry->value, "error_when"))
        return manifest_reader_fail_key(entry->reader, path, "there are no errors; expected \"error_when\" beside it");
    if (type == MANIFEST_ERROR_TYPE_RET && entry->function->returns == VALUE_VOID)
        return manifest_reader_fail(entry->reader, path,
                                    "the function returns void; expected \"errno\", or another type in \"returns\"");
    entry->function->error_type = (enum manifest_error_type)type;
    return 0;
}

static int read_sample_rate(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_share(entry->reader, path, value, &entry->function->sample_rate);
}

static int read_buckets(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_buckets(entry->reader, path, value, &entry->function->buckets,
                                   &entry->function->bucket_count);
}

static int read_optional(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_bool(entry->reader, path, value, &entry->function->is_optional);
}

static int read_trust_signature(const struct entry *entry, const struct json_path *path, json_t *value)
{
    return manifest_reader_bool(entry->reader, path, value, &entry->function->is_trusted);
}

/* A call that is not timed leaves no record of its caller, to whom the fault could be turned into a return. */
static int read_recover(const struct entry *entry, const struct json_path *path, json_t *value)
{
    struct manifest_function *function = entry->function;

    if (function->sample_rate > 0 && function->sample_rate < 1)
        return manifest_reader_fail_key(
            entry->reader, path,
            "calls that are not timed cannot be left; expected no \"sample_rate\" below 1 beside it");
    function->sample_rate = 1;
    return manifest_panics_read_recover(entry->reader, path, value, function);
}

/* What the function returns if `returns` does not say: the type that some label or the items give the result, else what
 * conditions expect. */
static enum value_type guess_returns(const json_t *value)
{
    enum value_type type = manifest_value_result_type(json_object_get(value, "items"));
    const char *name;
    json_t *label;

    json_object_foreach(json_object_get(value, "labels"), name, label)
    {
        if (type == VALUE_VOID)
            type = manifest_value_result_type(label);
    }
    if (type != VALUE_VOID)
        return type;
    return json_object_get(value, "error_when") || json_object_get(value, "throttled_when") ? VALUE_INT32 : VALUE_VOID;
}

/* Either a symbol, or a build id and an offset. */
static int check_place(const struct entry *entry, const struct json_path *path)
{
    static const char *const excluded[] = {"symbol", "object"};
    const bool has_offset = json_object_get(entry->value, "offset") != NULL;
    const bool has_build_id = json_object_get(entry->value, "build_id") != NULL;

    if (!has_offset && !has_build_id && !json_object_get(entry->value, "symbol"))
        return manifest_reader_fail(entry->reader, path, "\"symbol\" is missing; expected the name of a function");
    if (!has_offset && !has_build_id)
        return 0;
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
        const struct json_path step = {.parent = path, .key = excluded[i]};

        if (json_object_get(entry->value, step.key))
            return manifest_reader_fail_key(entry->reader, &step,
                                            "\"%s\" names the function already; expected no \"%s\" beside it",
                                            has_build_id ? "build_id" : "offset", step.key);
    }
    if (!has_offset)
        return manifest_reader_fail(entry->reader, path, "\"offset\" is missing; expected it beside \"build_id\"");
    if (!has_build_id)
        return manifest_reader_fail(entry->reader, path, "\"build_id\" is missing; expected it beside \"offset\"");
    return 0;
}

static int check_kind_labels(const struct entry *entry, const struct json_path *path)
{
    const struct json_path step = {.parent = path, .key = "kind"};

    for (const char *const *label = manifest_kind_labels(entry->function->kind); *label; label++)
        if (!manifest_label_is_of_function(entry->function, *label))
            return manifest_reader_fail(entry->reader, &step,
                                        "kind \"%s\" requires the label \"%s\"; expected it in \"labels\"",
                                        manifest_kind_name(entry->function->kind), *label);
    return 0;
}

static int fail_ret(const struct entry *entry, const struct json_path *parent)
{
    const struct json_path step = {.parent = parent, .key = "ret"};

    return manifest_reader_fail_key(entry->reader, &step,
                                    "mode \"count\" sees entries only; expected a value of the arguments");
}

static int check_count_values(const struct entry *entry, const struct json_path *path)
{
    const struct json_path items = {.parent = path, .key = "items"};
    const struct json_path labels = {.parent = path, .key = "labels"};
    const struct manifest_function *function = entry->function;

    if (function->items.source == MANIFEST_SOURCE_RET)
        return fail_ret(entry, &items);
    for (size_t i = 0; i < function->dynamic_label_count; i++) {
        const struct json_path step = {.parent = &labels, .key = function->dynamic_labels[i].name};

        if (function->dynamic_labels[i].value.source == MANIFEST_SOURCE_RET)
            return fail_ret(entry, &step);
    }
    return 0;
}

/* A count of entries knows neither results nor times. What is left of other kinds is the count of their calls and
 * items; of a health check nothing would be. */
static int check_count_mode(const struct entry *entry, const struct json_path *path)
{
    static const char *const excluded[] = {"error_when", "throttled_when", "error_type", "sample_rate", "buckets",
                                           "slo",        "recover"};
    const struct json_path kind = {.parent = path, .key = "kind"};

    if (entry->function->mode != MANIFEST_MODE_COUNT)
        return 0;
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
        const struct json_path other = {.parent = path, .key = excluded[i]};

        if (json_object_get(entry->value, excluded[i]))
            return manifest_reader_fail_key(
                entry->reader, &other, "mode \"count\" sees entries only; expected no \"%s\" beside it", excluded[i]);
    }
    if (entry->function->kind == MANIFEST_KIND_HEALTH_CHECK)
        return manifest_reader_fail(entry->reader, &kind,
                                    "mode \"count\" sees entries only; expected another kind than \"health_check\"");
    return check_count_values(entry, path);
}

static int read_objective(const struct entry *entry, const struct json_path *path, const json_t *value)
{
    const struct json_path step = {.parent = path, .key = "objective"};
    const json_t *member = json_object_get(value, step.key);
    const double objective = json_number_value(member);

    if (!member)
        return manifest_reader_fail(entry->reader, path, "\"objective\" is missing; expected a share such as 0.999");
    if (!json_is_number(member))
        return manifest_reader_fail_type(entry->reader, &step, member, "a share such as 0.999");
    if (!(objective > 0 && objective < 1))
        return manifest_reader_fail(entry->reader, &step,
                                    "out of range; expected a share above 0 and below 1, such as 0.999");
    entry->function->slo_objective = objective;
    return 0;
}

/* Against the buckets that the function has in the end. */
static int read_latency(const struct entry *entry, const struct json_path *path, const json_t *value)
{
    const struct json_path step = {.parent = path, .key = "latency"};
    const json_t *member = json_object_get(value, step.key);
    struct manifest_function *function = entry->function;

    if (!member)
        return 0;
    if (!json_is_number(member))
        return manifest_reader_fail_type(entry->reader, &step, member, "a number of seconds");
    for (size_t i = 0; i < function->bucket_count; i++)
        if (function->buckets[i] == json_number_value(member))
            function->slo_latency = function->buckets[i];
    if (!(function->slo_latency > 0))
        return manifest_reader_fail(entry->reader, &step,
                                    "not a bound of the function's buckets; expected one of them");
    return 0;
}

static int read_slo(const struct entry *entry, const struct json_path *path)
{
    const struct json_path step = {.parent = path, .key = "slo"};
    json_t *value = json_object_get(entry->value, step.key);
    int result = value ? manifest_reader_check_keys(entry->reader, &step, value, slo_keys) : 0;

    if (!value || result)
        return result;
    result = read_objective(entry, &step, value);
    return result ? result : read_latency(entry, &step, value);
}

static int apply_default_buckets(const struct entry *entry)
{
    struct manifest_function *function = entry->function;
    size_t count = entry->defaults->bucket_count;
    const double *buckets = entry->defaults->buckets;

    if (function->buckets)
        return 0;
    if (!buckets)
        buckets = manifest_kind_buckets(function->kind, &count);
    function->buckets = calloc(count + 1, sizeof *function->buckets);
    if (!function->buckets)
        return manifest_reader_fail_memory(entry->reader);
    memcpy(function->buckets, buckets, count * sizeof *buckets);
    function->bucket_count = count;
    return 0;
}

static int apply_defaults(const struct entry *entry)
{
    struct manifest_function *function = entry->function;

    for (size_t i = 0; i < function->dynamic_label_count; i++)
        if (function->label_values_max < function->dynamic_labels[i].max_values)
            function->label_values_max = function->dynamic_labels[i].max_values;
    if (!function->label_values_max)
        function->label_values_max = entry->defaults->max_label_values;
    if (!(function->sample_rate > 0))
        function->sample_rate = function->mode == MANIFEST_MODE_COUNT ? 1 : entry->defaults->sample_rate;
    return apply_default_buckets(entry);
}

static int check_entry(const struct entry *entry, const struct json_path *path)
{
    int result = apply_defaults(entry);

    if (result == 0)
        result = read_slo(entry, path);
    if (result == 0)
        result = check_kind_labels(entry, path);
    return result ? result : check_count_mode(entry, path);
}

int manifest_function_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           const struct manifest_defaults *defaults, struct manifest_function *function)
{
    /* `kind` comes before the items, `returns` before all that depends on the type of the result. */
    static const struct {
        const char *key;
        int (*read)(const struct entry *entry, const struct json_path *path, json_t *value);
    } parts[] = {
        {"symbol", read_symbol},
        {"offset", read_offset},
        {"build_id", read_build_id},
        {"object", read_object},
        {"name", read_name},
        {"kind", read_kind},
        {"mode", read_mode},
        {"returns", read_returns},
        {"labels", read_labels},
        {"items", read_items},
        {"error_when", read_error_when},
        {"throttled_when", read_throttled_when},
        {"error_type", read_error_type},
        {"sample_rate", read_sample_rate},
        {"buckets", read_buckets},
        {"trust_signature", read_trust_signature},
        {"optional", read_optional},
        {"recover", read_recover},
    };
    const struct entry entry = {.reader = reader, .value = value, .defaults = defaults, .function = function};
    int result = manifest_reader_check_keys(reader, path, value, keys);

    if (result == 0)
        result = check_place(&entry, path);
    if (result)
        return result;
    function->returns = guess_returns(value);
    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof *parts; i++) {
        const struct json_path step = {.parent = path, .key = parts[i].key};
        json_t *part = json_object_get(value, parts[i].key);

        result = part ? parts[i].read(&entry, &step, part) : 0;
    }
    return result ? result : check_entry(&entry, path);
}

void manifest_function_finish(struct manifest_function *function)
{
    free(function->symbol);
    free(function->build_id);
    free(function->object);
    free(function->name);
    manifest_label_free(function->labels, function->label_count);
    manifest_label_free_dynamic(function->dynamic_labels, function->dynamic_label_count);
    condition_finish(&function->error_when);
    condition_finish(&function->throttled_when);
    manifest_value_finish(&function->items);
    free(function->buckets);
}
