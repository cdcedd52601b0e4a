/* Reads labels: constant ones of the manifest, static and dynamic ones of functions. */
#include "symbols/manifest/label.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/check.h"
#include "symbols/manifest/reader.h"
#include "symbols/manifest/value_source.h"

enum {
    CAP_MAX = 100000,
    CAP_HIGH = 1000, /* more than that has to be asked for twice */
    DYNAMIC_MAX = 8, /* of one function */
};

static const struct manifest_key dynamic_keys[] = {
    {"arg", true},   {"farg", true}, {"ret", true},        {"param", true},
    {"field", true}, {"type", true}, {"max_values", true}, {"high_cardinality", true},
    {"map", true},   {NULL, false},
};

int manifest_label_read_value(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              char **string)
{
    const size_t length = json_string_length(value);

    if (length > MANIFEST_LABEL_VALUE_BYTES_MAX)
        return manifest_reader_fail(reader, path, "%zu bytes; expected at most %d in the value of a label", length,
                                    MANIFEST_LABEL_VALUE_BYTES_MAX);
    return manifest_reader_copy(reader, path, value, string);
}

static int read_name(const struct manifest_reader *reader, const struct json_path *path, bool is_constant, char **name)
{
    if (manifest_check_label_name(path->key, is_constant, reader->diag))
        return manifest_reader_fail_key(reader, path, "%s", reader->diag->text);
    *name = strdup(path->key);
    return *name ? 0 : manifest_reader_fail_memory(reader);
}

static int compare_labels(const void *left, const void *right)
{
    return strcmp(((const struct manifest_label *)left)->name, ((const struct manifest_label *)right)->name);
}

static int compare_dynamic(const void *left, const void *right)
{
    const struct manifest_dynamic_label *a = left;
    const struct manifest_dynamic_label *b = right;

    return strcmp(a->name, b->name);
}

static int read_static(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       bool is_constant, struct manifest_label *label)
{
    const int result = read_name(reader, path, is_constant, &label->name);

    return result ? result : manifest_label_read_value(reader, path, value, &label->value);
}

int manifest_label_read_constant(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_label **labels, size_t *count)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return manifest_reader_fail_type(reader, path, value, "an object");
    *labels = calloc(json_object_size(value) + 1, sizeof **labels);
    if (!*labels)
        return manifest_reader_fail_memory(reader);
    json_object_foreach(value, name, member)
    {
        const struct json_path step = {.parent = path, .key = name};
        const int result = read_static(reader, &step, member, true, &(*labels)[(*count)++]);

        if (result)
            return result;
    }
    qsort(*labels, *count, sizeof **labels, compare_labels);
    return 0;
}

int manifest_label_read_cap(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                            const char *name, size_t *cap)
{
    const struct json_path step = {.parent = path, .key = name};
    const struct json_path permission = {.parent = path, .key = "high_cardinality"};
    const json_t *member = json_object_get(object, name);
    const json_t *permission_member = json_object_get(object, permission.key);
    bool is_permitted = false;
    int result = 0;

    if (permission_member)
        result = manifest_reader_bool(reader, &permission, permission_member, &is_permitted);
    if (result || !member)
        return result;
    result = manifest_reader_count(reader, &step, member, CAP_MAX, cap);
    if (result == 0 && *cap > CAP_HIGH && !is_permitted)
        return manifest_reader_fail(reader, &step,
                                    "%zu values can be too many for Prometheus; expected at most %d, or "
                                    "\"high_cardinality\": true beside it",
                                    *cap, CAP_HIGH);
    return result;
}

/* Decimal, as numbers are shown: no leading zeros, no +. */
static bool is_decimal(const char *text)
{
    const char *digits = text + (*text == '-');

    if (*digits == '0')
        return digits == text && !digits[1];
    return *digits && !digits[strspn(digits, "0123456789")];
}

static bool is_address(const char *text)
{
    if (strcmp(text, "null") == 0)
        return true;
    return strncmp(text, "0x", 2) == 0 && text[2] && text[2] != '0' && !text[2 + strspn(text + 2, "0123456789abcdef")];
}

/* Whether a value of the type can be shown like this. Of what is not known yet, or written in many ways, any can. */
static const char *check_shown(const char *text, enum value_type type)
{
    if (strcmp(text, "invalid") == 0)
        return NULL;
    switch (type) {
    case VALUE_BOOL:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? NULL : "\"true\" or \"false\"";
    case VALUE_INT32:
    case VALUE_INT64:
        return is_decimal(text) ? NULL : "a decimal number such as \"-1\"";
    case VALUE_UINT32:
    case VALUE_UINT64:
        return is_decimal(text) && *text != '-' ? NULL : "a decimal number such as \"404\"";
    case VALUE_POINTER:
        return is_address(text) ? NULL : "\"null\" or an address such as \"0x4711\"";
    default:
        return NULL;
    }
}

static int read_renaming(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         enum value_type type, struct manifest_label *renaming)
{
    const char *expected = check_shown(path->key, type);
    const size_t length = strlen(path->key);

    if (expected)
        return manifest_reader_fail_key(reader, path, "no value of this type is shown so; expected %s", expected);
    if (length > MANIFEST_LABEL_VALUE_BYTES_MAX)
        return manifest_reader_fail_key(reader, path, "%zu bytes; values are cut at %d", length,
                                        MANIFEST_LABEL_VALUE_BYTES_MAX);
    renaming->name = strdup(path->key);
    if (!renaming->name)
        return manifest_reader_fail_memory(reader);
    return manifest_label_read_value(reader, path, value, &renaming->value);
}

static int read_map(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                    struct manifest_dynamic_label *label)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return manifest_reader_fail_type(reader, path, value, "an object of strings");
    label->map = calloc(json_object_size(value) + 1, sizeof *label->map);
    if (!label->map)
        return manifest_reader_fail_memory(reader);
    json_object_foreach(value, name, member)
    {
        const struct json_path step = {.parent = path, .key = name};
        const int result = read_renaming(reader, &step, member, label->value.type, &label->map[label->map_count++]);

        if (result)
            return result;
    }
    qsort(label->map, label->map_count, sizeof *label->map, compare_labels);
    return 0;
}

static int read_dynamic(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                        enum value_type returns, struct manifest_dynamic_label *label)
{
    const struct manifest_value_use use = {
        .what = "labels have other types", .types = MANIFEST_TYPES_ALL, .returns = returns};
    const struct json_path map = {.parent = path, .key = "map"};
    json_t *member = json_object_get(value, map.key);
    int result = read_name(reader, path, false, &label->name);

    if (result == 0)
        result = manifest_reader_check_keys(reader, path, value, dynamic_keys);
    if (result == 0)
        result = manifest_value_read(reader, path, value, &use, &label->value);
    if (result == 0)
        result = manifest_label_read_cap(reader, path, value, "max_values", &label->max_values);
    return result == 0 && member ? read_map(reader, &map, member, label) : result;
}

static int read_one(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                    struct manifest_function *function)
{
    if (json_is_string(value))
        return read_static(reader, path, value, false, &function->labels[function->label_count++]);
    if (!json_is_object(value))
        return manifest_reader_fail_type(reader, path, value, "a string, or an object such as {\"arg\": 1, ...}");
    if (function->dynamic_label_count == DYNAMIC_MAX)
        return manifest_reader_fail_key(reader, path, "one more dynamic label; expected at most %d", DYNAMIC_MAX);
    return read_dynamic(reader, path, value, function->returns,
                        &function->dynamic_labels[function->dynamic_label_count++]);
}

int manifest_label_read_function(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_function *function)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return manifest_reader_fail_type(reader, path, value, "an object");
    function->labels = calloc(json_object_size(value) + 1, sizeof *function->labels);
    function->dynamic_labels = calloc(DYNAMIC_MAX, sizeof *function->dynamic_labels);
    if (!function->labels || !function->dynamic_labels)
        return manifest_reader_fail_memory(reader);
    json_object_foreach(value, name, member)
    {
        const struct json_path step = {.parent = path, .key = name};
        const int result = read_one(reader, &step, member, function);

        if (result)
            return result;
    }
    qsort(function->labels, function->label_count, sizeof *function->labels, compare_labels);
    qsort(function->dynamic_labels, function->dynamic_label_count, sizeof *function->dynamic_labels, compare_dynamic);
    return 0;
}

void manifest_label_free(struct manifest_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(labels[i].name);
        free(labels[i].value);
    }
    free(labels);
}

void manifest_label_free_dynamic(struct manifest_dynamic_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(labels[i].name);
        manifest_value_finish(&labels[i].value);
        manifest_label_free(labels[i].map, labels[i].map_count);
    }
    free(labels);
}

struct manifest_label *manifest_label_find(struct manifest_label *labels, size_t count, const char *name)
{
    const struct manifest_label wanted = {.name = (char *)(uintptr_t)name};

    return count ? bsearch(&wanted, labels, count, sizeof *labels, compare_labels) : NULL;
}

bool manifest_label_is_of_function(const struct manifest_function *function, const char *name)
{
    for (size_t i = 0; i < function->dynamic_label_count; i++)
        if (strcmp(function->dynamic_labels[i].name, name) == 0)
            return true;
    return manifest_label_find(function->labels, function->label_count, name) != NULL;
}
