/* Reads the list `resources` of a document. */
#include "symbols/manifest/resource.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"
#include "symbols/manifest/label.h"
#include "symbols/manifest/manifest.h"
#include "symbols/manifest/reader.h"
#include "symbols/manifest/value_source.h"

enum {
    RESOURCES_MAX = 1000, /* of one document: each is read at every scrape */
};

static const struct manifest_key resource_keys[] = {{"name", true}, {"in_use", true}, {"limit", true}, {NULL, false}};

/* All keys of gauges: a word that is none of them gets a suggestion. */
static const struct manifest_key gauge_keys[] = {
    {"value", true},    {"global", true}, {"object", true}, {"offset", true}, {"deref", true},
    {"function", true}, {"arg", true},    {"farg", true},   {"ret", true},    {"param", true},
    {"field", true},    {"type", true},   {NULL, false},
};

/* Of a gauge that is being read. */
struct reading {
    const struct manifest_reader *reader;
    const struct manifest *manifest;
    const struct json_path *path; /* of the gauge */
    const json_t *value;
    struct manifest_gauge *gauge;
};

static int read_constant(const struct reading *reading)
{
    const struct json_path step = {.parent = reading->path, .key = "value"};
    const json_t *member = json_object_get(reading->value, step.key);

    if (!json_is_number(member))
        return manifest_reader_fail_type(reading->reader, &step, member, "a number");
    reading->gauge->constant = json_number_value(member);
    return 0;
}

static int read_offset(const struct reading *reading)
{
    const struct json_path step = {.parent = reading->path, .key = "offset"};
    const json_t *member = json_object_get(reading->value, step.key);

    if (!member)
        return 0;
    if (json_is_string(member))
        return manifest_reader_hex(reading->reader, &step, member, &reading->gauge->offset);
    if (json_is_real(member))
        return manifest_reader_fail(reading->reader, &step, "not a whole number; expected a number of bytes");
    if (!json_is_integer(member))
        return manifest_reader_fail_type(reading->reader, &step, member,
                                         "a whole number of bytes, or a string such as \"0x4711\"");
    if (json_integer_value(member) < 0)
        return manifest_reader_fail(reading->reader, &step, "below 0; expected bytes behind the variable's begin");
    reading->gauge->offset = (uint64_t)json_integer_value(member);
    return 0;
}

static int read_global_type(const struct reading *reading)
{
    const struct json_path step = {.parent = reading->path, .key = "type"};
    const json_t *member = json_object_get(reading->value, step.key);

    if (!member)
        return manifest_reader_fail(reading->reader, reading->path,
                                    "\"type\" is missing; expected the type of the variable, such as \"uint64\"");
    return manifest_value_read_type(reading->reader, &step, member, MANIFEST_TYPES_SCALAR, &reading->gauge->type);
}

static int read_global(const struct reading *reading)
{
    const struct json_path global = {.parent = reading->path, .key = "global"};
    const struct json_path object = {.parent = reading->path, .key = "object"};
    const struct json_path deref = {.parent = reading->path, .key = "deref"};
    const json_t *object_value = json_object_get(reading->value, object.key);
    const json_t *deref_value = json_object_get(reading->value, deref.key);
    struct manifest_gauge *gauge = reading->gauge;
    int result =
        manifest_reader_copy(reading->reader, &global, json_object_get(reading->value, global.key), &gauge->global);

    if (result == 0 && object_value)
        result = manifest_reader_object(reading->reader, &object, object_value, &gauge->object);
    if (result == 0 && deref_value)
        result = manifest_reader_bool(reading->reader, &deref, deref_value, &gauge->is_deref);
    if (result == 0)
        result = read_offset(reading);
    return result ? result : read_global_type(reading);
}

static int fail_unknown_function(const struct reading *reading, const struct json_path *path, const char *name)
{
    struct suggestion suggestion = {.word = name};
    char quoted[DIAG_QUOTE_BYTES];

    for (size_t i = 0; i < reading->manifest->function_count; i++) {
        const struct manifest_function *function = &reading->manifest->functions[i];

        if (function->symbol)
            suggest_consider(&suggestion, function->symbol);
        if (function->name)
            suggest_consider(&suggestion, function->name);
    }
    if (suggestion.nearest)
        return manifest_reader_fail(reading->reader, path, "no function is called %s; did you mean \"%s\"?",
                                    diag_quote(quoted, name), suggestion.nearest);
    return manifest_reader_fail(reading->reader, path,
                                "no function is called %s; expected a symbol or name in \"functions\"",
                                diag_quote(quoted, name));
}

/* How many functions are called so: by the name that is shown or, if none is, by their symbol. */
static size_t find_functions(const struct manifest *manifest, const char *name, size_t *ret_index)
{
    size_t shown = 0;
    size_t symbols = 0;

    for (size_t i = 0; i < manifest->function_count; i++) {
        const struct manifest_function *function = &manifest->functions[i];
        const bool is_symbol = function->symbol && strcmp(function->symbol, name) == 0;
        const bool is_shown = function->name ? strcmp(function->name, name) == 0 : is_symbol;

        if (is_shown || (is_symbol && !shown))
            *ret_index = i;
        shown += is_shown;
        symbols += is_symbol;
    }
    return shown ? shown : symbols;
}

static int read_function(const struct reading *reading)
{
    const struct json_path step = {.parent = reading->path, .key = "function"};
    const char *name;
    const int result = manifest_reader_string(reading->reader, &step, json_object_get(reading->value, step.key), &name);
    size_t count;

    if (result)
        return result;
    count = find_functions(reading->manifest, name, &reading->gauge->function);
    if (count == 0)
        return fail_unknown_function(reading, &step, name);
    if (count > 1)
        return manifest_reader_fail(reading->reader, &step,
                                    "%zu functions are called so; expected a \"name\" that one has", count);
    return 0;
}

static int read_call(const struct reading *reading)
{
    const struct json_path ret = {.parent = reading->path, .key = "ret"};
    struct manifest_value_use use = {.what = "gauges have other types", .types = MANIFEST_TYPES_SCALAR};
    const struct manifest_function *function;
    int result = read_function(reading);

    if (result)
        return result;
    function = &reading->manifest->functions[reading->gauge->function];
    use.returns = function->returns;
    result = manifest_value_read(reading->reader, reading->path, reading->value, &use, &reading->gauge->value);
    if (result == 0 && reading->gauge->value.source == MANIFEST_SOURCE_RET && function->mode == MANIFEST_MODE_COUNT)
        return manifest_reader_fail_key(reading->reader, &ret,
                                        "the function has mode \"count\", which sees entries only; expected a value of "
                                        "the arguments");
    return result;
}

/* Refuses keys that belong to gauges of another form. */
static int check_form(const struct reading *reading, const char *form, const char *const *keys)
{
    json_t *object = (json_t *)(uintptr_t)reading->value;
    const char *name;
    json_t *member;

    json_object_foreach(object, name, member)
    {
        const struct json_path step = {.parent = reading->path, .key = name};
        bool is_known = strcmp(name, form) == 0;

        for (const char *const *key = keys; *key; key++)
            is_known |= strcmp(name, *key) == 0;
        if (!is_known)
            return manifest_reader_fail_key(reading->reader, &step, "has no meaning beside \"%s\"; expected no \"%s\"",
                                            form, name);
    }
    return 0;
}

static int read_gauge(const struct reading *reading, json_t *value)
{
    static const char *const names[] = {"value", "global", "function", NULL};
    static const struct {
        enum manifest_gauge_source source;
        const char *keys[7];
        int (*read)(const struct reading *reading);
    } forms[] = {
        {MANIFEST_GAUGE_CONSTANT, {NULL}, read_constant},
        {MANIFEST_GAUGE_GLOBAL, {"object", "offset", "type", "deref"}, read_global},
        {MANIFEST_GAUGE_CALL, {"arg", "farg", "ret", "param", "field", "type"}, read_call},
    };
    size_t form;
    int result = manifest_reader_check_keys(reading->reader, reading->path, value, gauge_keys);

    if (result == 0)
        result = manifest_value_choose(reading->reader, reading->path, value, names, &form);
    if (result == 0)
        result = check_form(reading, names[form], forms[form].keys);
    if (result)
        return result;
    reading->gauge->source = forms[form].source;
    return forms[form].read(reading);
}

static int read_gauge_member(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                             const struct manifest *manifest, struct manifest_gauge *gauge)
{
    const struct reading reading = {
        .reader = reader, .manifest = manifest, .path = path, .value = value, .gauge = gauge};

    return read_gauge(&reading, value);
}

static int read_name(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                     const struct manifest *manifest, struct manifest_resource *resource)
{
    const struct json_path step = {.parent = path, .key = "name"};
    const json_t *member = json_object_get(value, step.key);
    int result;

    if (!member)
        return manifest_reader_fail(reader, path, "\"name\" is missing; expected the name of the resource");
    result = manifest_label_read_value(reader, &step, member, &resource->name);
    if (result)
        return result;
    for (const struct manifest_resource *other = manifest->resources; other < resource; other++)
        if (strcmp(other->name, resource->name) == 0)
            return manifest_reader_fail(reader, &step, "another resource has this name already; expected another name");
    return 0;
}

static int read_one(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                    const struct manifest *manifest, struct manifest_resource *resource)
{
    const struct json_path in_use = {.parent = path, .key = "in_use"};
    const struct json_path limit = {.parent = path, .key = "limit"};
    json_t *in_use_value = json_object_get(value, in_use.key);
    json_t *limit_value = json_object_get(value, limit.key);
    int result = manifest_reader_check_keys(reader, path, value, resource_keys);

    if (result == 0)
        result = read_name(reader, path, value, manifest, resource);
    if (result)
        return result;
    if (!in_use_value)
        return manifest_reader_fail(reader, path, "\"in_use\" is missing; expected where to read how much is in use");
    result = read_gauge_member(reader, &in_use, in_use_value, manifest, &resource->in_use);
    if (result == 0 && limit_value)
        result = read_gauge_member(reader, &limit, limit_value, manifest, &resource->limit);
    return result;
}

/* Makes room for the resources of this document, zeroed. */
static int grow_resources(struct manifest *manifest, size_t count)
{
    struct manifest_resource *resources =
        reallocarray(manifest->resources, manifest->resource_count + count + 1, sizeof *resources);

    if (!resources)
        return -ENOMEM;
    memset(resources + manifest->resource_count, 0, (count + 1) * sizeof *resources);
    manifest->resources = resources;
    return 0;
}

int manifest_resource_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           struct manifest *manifest)
{
    const size_t count = json_array_size(value);
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(reader, path, value, "an array of resources");
    if (count > RESOURCES_MAX)
        return manifest_reader_fail(reader, path, "%zu resources; expected at most %d", count, RESOURCES_MAX);
    if (grow_resources(manifest, count))
        return manifest_reader_fail_memory(reader);
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};

        result = read_one(reader, &step, json_array_get(value, i), manifest,
                          &manifest->resources[manifest->resource_count++]);
    }
    return result;
}

static void finish_gauge(struct manifest_gauge *gauge)
{
    free(gauge->global);
    free(gauge->object);
    manifest_value_finish(&gauge->value);
}

void manifest_resource_finish(struct manifest_resource *resource)
{
    free(resource->name);
    finish_gauge(&resource->in_use);
    finish_gauge(&resource->limit);
}
