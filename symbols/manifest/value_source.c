/* Reads where a value of a call comes from. */
#include "symbols/manifest/value_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/reader.h"

enum {
    NUMBER_MAX = 32,
    LIST_BYTES = 256,
};

/* Of the words for one type the last is what messages call it. */
static const struct manifest_word types[] = {
    {"void", VALUE_VOID},     {"bool", VALUE_BOOL},       {"int", VALUE_INT32},
    {"int32", VALUE_INT32},   {"uint32", VALUE_UINT32},   {"long", VALUE_INT64},
    {"ssize_t", VALUE_INT64}, {"int64", VALUE_INT64},     {"size_t", VALUE_UINT64},
    {"uint64", VALUE_UINT64}, {"pointer", VALUE_POINTER}, {"float", VALUE_FLOAT},
    {"double", VALUE_DOUBLE}, {"cstring", VALUE_CSTRING}, {NULL, 0},
};

static const struct manifest_word *find_type(const char *word)
{
    for (const struct manifest_word *type = types; type->word; type++)
        if (strcmp(type->word, word) == 0)
            return type;
    return NULL;
}

static const char *type_name(enum value_type type)
{
    const char *name = NULL;

    for (size_t i = 0; types[i].word; i++)
        if (types[i].value == (int)type)
            name = types[i].word;
    return name;
}

static void list_types(unsigned allowed, char list[static LIST_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; types[i].word; i++)
        if (allowed & 1U << types[i].value)
            used += (size_t)snprintf(list + used, LIST_BYTES - used, "%s%s", used ? ", " : "", types[i].word);
}

int manifest_value_read_type(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                             unsigned allowed, enum value_type *ret_type)
{
    const struct manifest_word *type;
    char quoted[DIAG_QUOTE_BYTES];
    char list[LIST_BYTES];
    const char *word;
    const int result = manifest_reader_string(reader, path, value, &word);

    if (result)
        return result;
    type = find_type(word);
    if (type && (allowed & 1U << type->value)) {
        *ret_type = (enum value_type)type->value;
        return 0;
    }
    list_types(allowed, list);
    if (type)
        return manifest_reader_fail(reader, path, "the type \"%s\" cannot stand here; expected one of %s", word, list);
    return manifest_reader_fail(reader, path, "unknown type %s; expected one of %s", diag_quote(quoted, word), list);
}

enum value_type manifest_value_result_type(const json_t *object)
{
    const char *word = json_string_value(json_object_get(object, "type"));
    const struct manifest_word *type = word ? find_type(word) : NULL;

    if (!type || !json_is_true(json_object_get(object, "ret")) || !(MANIFEST_TYPES_SCALAR & 1U << type->value))
        return VALUE_VOID;
    return (enum value_type)type->value;
}

/* "a", "b" or "c" */
static void list_names(const char *const *names, char list[static LIST_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; names[i]; i++)
        used += (size_t)snprintf(list + used, LIST_BYTES - used, "%s\"%s\"", used ? names[i + 1] ? ", " : " or " : "",
                                 names[i]);
}

int manifest_value_choose(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                          const char *const *names, size_t *ret_index)
{
    const char *chosen = NULL;
    char list[LIST_BYTES];

    list_names(names, list);
    for (size_t i = 0; names[i]; i++) {
        const struct json_path step = {.parent = path, .key = names[i]};

        if (!json_object_get(object, names[i]))
            continue;
        if (chosen)
            return manifest_reader_fail_key(reader, &step, "not beside \"%s\"; expected only one of %s", chosen, list);
        chosen = names[i];
        *ret_index = i;
    }
    if (!chosen)
        return manifest_reader_fail(reader, path, "expected one of the keys %s", list);
    return 0;
}

static int read_number(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       struct manifest_value *ret_value)
{
    size_t number;
    const int result = manifest_reader_count(reader, path, value, NUMBER_MAX, &number);

    if (result == 0)
        ret_value->number = (unsigned)number;
    return result;
}

static int read_param(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                      struct manifest_value *value)
{
    const struct json_path field = {.parent = path->parent, .key = "field"};
    const json_t *member = json_object_get(object, field.key);
    const int result = manifest_reader_copy(reader, path, json_object_get(object, path->key), &value->param);

    if (result || !member)
        return result;
    return manifest_reader_copy(reader, &field, member, &value->field);
}

static int read_source(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                       struct manifest_value *value)
{
    const json_t *member = json_object_get(object, path->key);

    switch (value->source) {
    case MANIFEST_SOURCE_PARAM:
        return read_param(reader, path, object, value);
    case MANIFEST_SOURCE_RET:
        return json_is_true(member) ? 0 : manifest_reader_fail_type(reader, path, member, "true");
    default:
        return read_number(reader, path, member, value);
    }
}

/* What the type of a result comes to. */
static int check_result(const struct manifest_reader *reader, const struct json_path *object, const json_t *type,
                        const struct manifest_value_use *use, struct manifest_value *value)
{
    const struct json_path step = {.parent = object, .key = "type"};
    const struct json_path ret = {.parent = object, .key = "ret"};

    if (use->returns == VALUE_VOID)
        return manifest_reader_fail_key(reader, &ret,
                                        "the function returns void; expected its type in \"returns\" of the function");
    if (type && value->type != use->returns)
        return manifest_reader_fail(reader, &step, "the function returns %s; expected the same type here",
                                    type_name(use->returns));
    if (!type && !(use->types & 1U << use->returns))
        return manifest_reader_fail_key(reader, &ret, "the function returns %s, but %s", type_name(use->returns),
                                        use->what);
    value->type = use->returns;
    return 0;
}

static bool is_floating(const json_t *type)
{
    const struct manifest_word *word = json_is_string(type) ? find_type(json_string_value(type)) : NULL;

    return word && (MANIFEST_TYPES_FLOATING & 1U << word->value);
}

/* `allowed` are the types that both the source and the use can have. */
static int read_type(const struct manifest_reader *reader, const struct json_path *object, const json_t *member,
                     unsigned allowed, struct manifest_value *value)
{
    const struct json_path step = {.parent = object, .key = "type"};
    char list[LIST_BYTES];

    if (member && value->source == MANIFEST_SOURCE_ARG && is_floating(member))
        return manifest_reader_fail(reader, &step,
                                    "floating-point arguments are counted by themselves; expected \"farg\" with it");
    if (member)
        return manifest_value_read_type(reader, &step, member, allowed, &value->type);
    if (value->source == MANIFEST_SOURCE_FARG)
        value->type = VALUE_DOUBLE;
    if (value->source != MANIFEST_SOURCE_ARG)
        return 0;
    list_types(allowed, list);
    return manifest_reader_fail(reader, object, "\"type\" is missing; expected one of %s", list);
}

int manifest_value_read(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                        const struct manifest_value_use *use, struct manifest_value *value)
{
    static const char *const names[] = {"arg", "farg", "ret", "param", NULL};
    static const enum manifest_source sources[] = {MANIFEST_SOURCE_ARG, MANIFEST_SOURCE_FARG, MANIFEST_SOURCE_RET,
                                                   MANIFEST_SOURCE_PARAM};
    static const unsigned source_types[] = {MANIFEST_TYPES_ALL & ~(unsigned)MANIFEST_TYPES_FLOATING,
                                            MANIFEST_TYPES_FLOATING, MANIFEST_TYPES_SCALAR, MANIFEST_TYPES_ALL};
    const struct json_path field = {.parent = path, .key = "field"};
    struct json_path step = {.parent = path};
    const json_t *type = json_object_get(object, "type");
    size_t index;
    int result = manifest_value_choose(reader, path, object, names, &index);

    if (result)
        return result;
    step.key = names[index];
    if (json_object_get(object, field.key) && sources[index] != MANIFEST_SOURCE_PARAM)
        return manifest_reader_fail_key(reader, &field, "not beside \"%s\"; expected \"param\" with it", step.key);
    if (!(source_types[index] & use->types))
        return manifest_reader_fail_key(reader, &step, "a floating-point argument, but %s", use->what);
    value->source = sources[index];
    result = read_source(reader, &step, object, value);
    if (result == 0)
        result = read_type(reader, path, type, source_types[index] & use->types, value);
    if (result == 0 && value->source == MANIFEST_SOURCE_RET)
        result = check_result(reader, path, type, use, value);
    return result;
}

void manifest_value_finish(struct manifest_value *value)
{
    free(value->param);
    free(value->field);
}
