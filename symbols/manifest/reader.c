/* Reads single values of a JSON document. */
#include "symbols/manifest/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"
#include "symbols/manifest/manifest.h"

enum {
    BUCKETS_MAX = 100,
    DIRECTORY_BYTES_MAX = 3840, /* PATH_MAX, less the name of a file */
    MESSAGE_BYTES = sizeof(struct diag),
};

static int fail_at(const struct manifest_reader *reader, const char *path, size_t offset, const char *format,
                   va_list arguments)
{
    char message[MESSAGE_BYTES];
    int line;
    int column;

    (void)vsnprintf(message, sizeof message, format, arguments);
    json_text_place(reader->text, reader->length, offset, &line, &column);
    diag_set(reader->diag, "%s:%d:%d: %s: %s", reader->file, line, column, path, message);
    return -EINVAL;
}

int manifest_reader_fail_byte(const struct manifest_reader *reader, const char *path, size_t offset, const char *format,
                              ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail_at(reader, path, offset, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int fail_path(const struct manifest_reader *reader, const struct json_path *path, bool is_key,
                     const char *format, va_list arguments)
{
    char path_text[JSON_TEXT_PATH_BYTES];

    json_text_print(path, path_text);
    return fail_at(reader, path_text, json_text_find(reader->text, reader->length, path, is_key), format, arguments);
}

int manifest_reader_fail(const struct manifest_reader *reader, const struct json_path *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail_path(reader, path, false, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

int manifest_reader_fail_key(const struct manifest_reader *reader, const struct json_path *path, const char *format,
                             ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail_path(reader, path, true, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

int manifest_reader_fail_inside(const struct manifest_reader *reader, const struct json_path *path, size_t index)
{
    const size_t string = json_text_find(reader->text, reader->length, path, false);
    char path_text[JSON_TEXT_PATH_BYTES];

    json_text_print(path, path_text);
    return manifest_reader_fail_byte(
        reader, path_text, json_text_in_string(reader->text, reader->length, string, index), "%s", reader->diag->text);
}

int manifest_reader_fail_memory(const struct manifest_reader *reader)
{
    diag_set(reader->diag, "%s: out of memory", reader->file);
    return -ENOMEM;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null",
    };

    return names[json_typeof(value)];
}

int manifest_reader_fail_type(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              const char *expected)
{
    return manifest_reader_fail(reader, path, "expected %s, found %s", expected, type_name(value));
}

static const struct manifest_key *find_key(const struct manifest_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}

/* Appends a word to a list, as far as it fits. */
static void append(char *list, size_t bytes, const char *word)
{
    const size_t used = strlen(list);

    (void)snprintf(list + used, bytes - used, "%s%s", used ? ", " : "", word);
}

static int fail_unknown(const struct manifest_reader *reader, const struct json_path *path,
                        const struct manifest_key *keys)
{
    struct suggestion suggestion = {.word = path->key};
    char known[MESSAGE_BYTES / 2] = "";

    for (; keys->name; keys++) {
        suggest_consider(&suggestion, keys->name);
        if (keys->is_supported)
            append(known, sizeof known, keys->name);
    }
    if (suggestion.nearest)
        return manifest_reader_fail_key(reader, path, "unknown key; did you mean \"%s\"?", suggestion.nearest);
    return manifest_reader_fail_key(reader, path, "unknown key; expected one of %s", known);
}

int manifest_reader_check_keys(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                               const struct manifest_key *keys)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return manifest_reader_fail_type(reader, path, value, "an object");
    json_object_foreach(value, name, member)
    {
        const struct json_path step = {.parent = path, .key = name};
        const struct manifest_key *key = find_key(keys, name);

        if (!key)
            return fail_unknown(reader, &step, keys);
        if (!key->is_supported)
            return manifest_reader_fail_key(reader, &step, "this key is not supported yet");
    }
    return 0;
}

int manifest_reader_string(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                           const char **ret_string)
{
    if (!json_is_string(value))
        return manifest_reader_fail_type(reader, path, value, "a string");
    if (json_string_length(value) == 0)
        return manifest_reader_fail(reader, path, "an empty string; expected at least one character");
    *ret_string = json_string_value(value);
    return 0;
}

int manifest_reader_copy(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         char **string)
{
    const char *borrowed;
    const int result = manifest_reader_string(reader, path, value, &borrowed);
    char *copy;

    if (result)
        return result;
    copy = strdup(borrowed);
    if (!copy)
        return manifest_reader_fail_memory(reader);
    free(*string);
    *string = copy;
    return 0;
}

int manifest_reader_bool(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         bool *ret_bool)
{
    if (!json_is_boolean(value))
        return manifest_reader_fail_type(reader, path, value, "true or false");
    *ret_bool = json_is_true(value);
    return 0;
}

int manifest_reader_word(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         const char *what, const struct manifest_word *words, int *ret_value)
{
    char known[MESSAGE_BYTES / 2] = "";
    char quoted[DIAG_QUOTE_BYTES];
    const char *word;
    const int result = manifest_reader_string(reader, path, value, &word);

    if (result)
        return result;
    for (; words->word; words++) {
        if (strcmp(words->word, word) == 0) {
            *ret_value = words->value;
            return 0;
        }
        append(known, sizeof known, words->word);
    }
    return manifest_reader_fail(reader, path, "unknown %s %s; expected one of %s", what, diag_quote(quoted, word),
                                known);
}

int manifest_reader_glob(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         char **string, bool *ret_is_glob)
{
    bool is_glob;
    const int result = manifest_reader_copy(reader, path, value, string);

    if (result)
        return result;
    if (manifest_check_glob(*string, &is_glob, reader->diag))
        return manifest_reader_fail(reader, path, "%s", reader->diag->text);
    if (ret_is_glob)
        *ret_is_glob = is_glob;
    return 0;
}

/* Objects are known by base name and soname, which have no slash. */
int manifest_reader_object(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                           char **string)
{
    const int result = manifest_reader_glob(reader, path, value, string, NULL);

    if (result == 0 && strchr(*string, '/'))
        return manifest_reader_fail(reader, path, "a path; expected a base name or soname, such as \"libc.so.6\"");
    return result;
}

int manifest_reader_whole(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          size_t low, size_t high, size_t *ret_number)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_number(value))
        return manifest_reader_fail_type(reader, path, value, "a whole number");
    if (!json_is_integer(value))
        return manifest_reader_fail(reader, path,
                                    "not a whole number; expected %zu to %zu, without a point or exponent", low, high);
    if (number < (json_int_t)low || number > (json_int_t)high)
        return manifest_reader_fail(reader, path, "%lld is out of range; expected %zu to %zu", (long long)number, low,
                                    high);
    *ret_number = (size_t)number;
    return 0;
}

int manifest_reader_count(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          size_t high, size_t *ret_count)
{
    return manifest_reader_whole(reader, path, value, 1, high, ret_count);
}

int manifest_reader_directory(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              char **string)
{
    const int result = manifest_reader_copy(reader, path, value, string);

    if (result)
        return result;
    if (**string != '/')
        return manifest_reader_fail(reader, path, "a relative path; expected the absolute path of a directory");
    if (strlen(*string) > DIRECTORY_BYTES_MAX)
        return manifest_reader_fail(reader, path, "the path is too long; expected at most %d bytes",
                                    DIRECTORY_BYTES_MAX);
    return 0;
}

int manifest_reader_share(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          double *ret_share)
{
    const double share = json_number_value(value);

    if (!json_is_number(value))
        return manifest_reader_fail_type(reader, path, value, "a number above 0 and at most 1");
    if (!(share > 0 && share <= 1))
        return manifest_reader_fail(reader, path, "out of range; expected a number above 0 and at most 1");
    *ret_share = share;
    return 0;
}

int manifest_reader_hex(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                        uint64_t *ret_number)
{
    const char *text;
    const int result = manifest_reader_string(reader, path, value, &text);
    size_t digits;

    if (result)
        return result;
    digits = strncmp(text, "0x", 2) == 0 ? strspn(text + 2, "0123456789abcdefABCDEF") : 0;
    if (digits < 1 || digits > 16 || text[2 + digits])
        return manifest_reader_fail(reader, path,
                                    "not a hexadecimal number of at most 64 bits; expected one such as \"0x4711\"");
    *ret_number = strtoull(text, NULL, 16);
    return 0;
}

static int read_bucket(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       double below, double *ret_bound)
{
    const double bound = json_number_value(value);

    if (!json_is_number(value))
        return manifest_reader_fail_type(reader, path, value, "a number of seconds");
    if (!(bound > 0))
        return manifest_reader_fail(reader, path, "not above 0; expected a number of seconds above 0");
    if (!(bound > below))
        return manifest_reader_fail(reader, path, "not above the bound before it; expected bounds in ascending order");
    *ret_bound = bound;
    return 0;
}

int manifest_reader_buckets(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                            double **ret_buckets, size_t *ret_count)
{
    const size_t count = json_array_size(value);
    double *buckets;

    if (!json_is_array(value))
        return manifest_reader_fail_type(reader, path, value, "an array of numbers of seconds");
    if (count > BUCKETS_MAX)
        return manifest_reader_fail(reader, path, "%zu bounds; expected at most %d", count, BUCKETS_MAX);
    buckets = calloc(count + 1, sizeof *buckets);
    if (!buckets)
        return manifest_reader_fail_memory(reader);
    for (size_t i = 0; i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};
        const double below = i ? buckets[i - 1] : 0;
        const int result = read_bucket(reader, &step, json_array_get(value, i), below, &buckets[i]);

        if (result) {
            free(buckets);
            return result;
        }
    }
    *ret_buckets = buckets;
    *ret_count = count;
    return 0;
}
