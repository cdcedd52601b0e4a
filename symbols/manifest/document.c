/* Reads one JSON document into a manifest that is being made. */
#include "symbols/manifest/document.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/check.h"
#include "symbols/manifest/function.h"
#include "symbols/manifest/functions.h"
#include "symbols/manifest/label.h"
#include "symbols/manifest/manifest.h"
#include "symbols/manifest/panics.h"
#include "symbols/manifest/reader.h"
#include "symbols/manifest/resource.h"
#include "symbols/manifest/web.h"

static const struct manifest_key document_keys[] = {
    {"version", true},   {"namespace", true},   {"labels", true},
    {"listen", true},    {"executables", true}, {"follow_exec", true},
    {"defaults", true},  {"functions", true},   {"overhead_budget", true},
    {"resources", true}, {"panics", true},      {"state", true},
    {"web", true},       {NULL, false},
};

static const struct manifest_key defaults_keys[] = {
    {"buckets", true}, {"sample_rate", true}, {"max_label_values", true}, {"high_cardinality", true}, {NULL, false},
};

static const struct manifest_key state_keys[] = {{"dir", true}, {NULL, false}};

/* A document that is being read. */
struct document {
    const struct manifest_reader *reader;
    struct manifest *manifest;          /* with what the documents before it gave */
    struct manifest_defaults *defaults; /* its own */
    size_t function_first;              /* index of its first function in the manifest */
};

static int read_version(const struct document *document, const struct json_path *path, json_t *value)
{
    if (!json_is_number(value))
        return manifest_reader_fail_type(document->reader, path, value, "the number 1");
    if (!json_is_integer(value) || json_integer_value(value) != 1)
        return manifest_reader_fail(document->reader, path, "unknown version; expected 1");
    return 0;
}

static int read_namespace(const struct document *document, const struct json_path *path, json_t *value)
{
    char **namespace_ = &document->manifest->namespace_;
    const int result = manifest_reader_copy(document->reader, path, value, namespace_);

    if (result == 0 && !manifest_check_is_name(*namespace_))
        return manifest_reader_fail(document->reader, path,
                                    "not a prefix for names of metrics; expected [a-zA-Z_][a-zA-Z0-9_]*");
    return result;
}

static int read_listen(const struct document *document, const struct json_path *path, json_t *value)
{
    char **listen = &document->manifest->listen;
    const int result = manifest_reader_copy(document->reader, path, value, listen);

    if (result == 0 && manifest_check_listen(*listen, document->reader->diag))
        return manifest_reader_fail(document->reader, path, "%s", document->reader->diag->text);
    return result;
}

static int read_follow_exec(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_reader_bool(document->reader, path, value, &document->manifest->follow_exec);
}

/* Each document brings the programs that it is for. */
static int read_executables(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest *manifest = document->manifest;
    const size_t count = json_array_size(value);
    char **executables;
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(document->reader, path, value, "an array of globs");
    executables = reallocarray(manifest->executables, manifest->executable_count + count + 1, sizeof *executables);
    if (!executables)
        return manifest_reader_fail_memory(document->reader);
    manifest->executables = executables;
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};
        char **executable = &executables[manifest->executable_count++];

        *executable = NULL;
        result = manifest_reader_glob(document->reader, &step, json_array_get(value, i), executable, NULL);
    }
    return result;
}

static int read_default_buckets(const struct document *document, const struct json_path *path, const json_t *value)
{
    struct manifest_defaults *defaults = document->defaults;
    const struct json_path step = {.parent = path, .key = "buckets"};
    const json_t *member = json_object_get(value, step.key);

    if (!member)
        return 0;
    return manifest_reader_buckets(document->reader, &step, member, &defaults->buckets, &defaults->bucket_count);
}

static int read_default_sample_rate(const struct document *document, const struct json_path *path, const json_t *value)
{
    const struct json_path step = {.parent = path, .key = "sample_rate"};
    const json_t *member = json_object_get(value, step.key);

    return member ? manifest_reader_share(document->reader, &step, member, &document->defaults->sample_rate) : 0;
}

static int read_defaults(const struct document *document, const struct json_path *path, json_t *value)
{
    int result = manifest_reader_check_keys(document->reader, path, value, defaults_keys);

    if (result == 0)
        result = read_default_buckets(document, path, value);
    if (result == 0)
        result = read_default_sample_rate(document, path, value);
    if (result)
        return result;
    return manifest_label_read_cap(document->reader, path, value, "max_label_values",
                                   &document->defaults->max_label_values);
}

static int read_overhead_budget(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_reader_share(document->reader, path, value, &document->manifest->overhead_budget);
}

static int read_functions(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_functions_read(document->reader, path, value, document->defaults, document->manifest);
}

static int read_resources(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_resource_read(document->reader, path, value, document->manifest);
}

static int read_panics(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_panics_read(document->reader, path, value, &document->manifest->panics);
}

static int read_state(const struct document *document, const struct json_path *path, json_t *value)
{
    const struct json_path step = {.parent = path, .key = "dir"};
    const int result = manifest_reader_check_keys(document->reader, path, value, state_keys);
    const json_t *member = json_object_get(value, step.key);

    if (result)
        return result;
    if (!member)
        return manifest_reader_fail(document->reader, path, "\"dir\" is missing; expected the path of a directory");
    return manifest_reader_directory(document->reader, &step, member, &document->manifest->state_dir);
}

static int read_web(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_web_read(document->reader, path, value, &document->manifest->web);
}

/* Both are sorted by name; on success the result is, and `added` is empty. Of two of one name the added one stays. */
static int unite_labels(struct manifest *manifest, struct manifest_label *added, size_t *added_count)
{
    struct manifest_label *united = calloc(manifest->label_count + *added_count + 1, sizeof *united);
    size_t count = 0;
    size_t i = 0;

    if (!united)
        return -ENOMEM;
    for (size_t j = 0; j < *added_count; j++) {
        while (i < manifest->label_count && strcmp(manifest->labels[i].name, added[j].name) < 0)
            united[count++] = manifest->labels[i++];
        if (i < manifest->label_count && strcmp(manifest->labels[i].name, added[j].name) == 0) {
            free(manifest->labels[i].name);
            free(manifest->labels[i++].value);
        }
        united[count++] = added[j];
    }
    while (i < manifest->label_count)
        united[count++] = manifest->labels[i++];
    free(manifest->labels);
    manifest->labels = united;
    manifest->label_count = count;
    *added_count = 0;
    return 0;
}

/* Functions of earlier documents may have a label that this one makes constant. */
static int check_earlier_functions(const struct document *document, const struct json_path *path,
                                   const struct manifest_label *labels, size_t count)
{
    for (size_t i = 0; i < document->function_first; i++)
        for (size_t j = 0; j < count; j++) {
            const struct json_path step = {.parent = path, .key = labels[j].name};

            if (manifest_label_is_of_function(&document->manifest->functions[i], step.key))
                return manifest_reader_fail_key(
                    document->reader, &step,
                    "a function of an earlier manifest has a label of this name; expected another name");
        }
    return 0;
}

static int read_labels(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest_label *labels = NULL;
    size_t count = 0;
    int result = manifest_label_read_constant(document->reader, path, value, &labels, &count);

    if (result == 0)
        result = check_earlier_functions(document, path, labels, count);
    if (result == 0 && unite_labels(document->manifest, labels, &count))
        result = manifest_reader_fail_memory(document->reader);
    manifest_label_free(labels, count);
    return result;
}

static int check_required(const struct manifest_reader *reader, const json_t *root)
{
    if (!json_object_get(root, "version"))
        return manifest_reader_fail(reader, NULL, "\"version\" is missing; expected \"version\": 1");
    if (!json_object_get(root, "functions"))
        return manifest_reader_fail(reader, NULL, "\"functions\" is missing; expected an array of functions");
    return 0;
}

static int read_root(const struct document *document, json_t *root)
{
    /* The version before all that depends on it; constant labels and defaults before the functions, these before the
     * resources that they give. */
    static const struct {
        const char *key;
        int (*read)(const struct document *document, const struct json_path *path, json_t *value);
    } parts[] = {
        {"namespace", read_namespace},
        {"labels", read_labels},
        {"listen", read_listen},
        {"executables", read_executables},
        {"follow_exec", read_follow_exec},
        {"defaults", read_defaults},
        {"overhead_budget", read_overhead_budget},
        {"functions", read_functions},
        {"resources", read_resources},
        {"panics", read_panics},
        {"state", read_state},
        {"web", read_web},
    };
    const struct json_path version = {.key = "version"};
    json_t *value = json_object_get(root, version.key);
    int result = value ? read_version(document, &version, value) : 0;

    if (result == 0)
        result = manifest_reader_check_keys(document->reader, NULL, root, document_keys);
    if (result == 0)
        result = check_required(document->reader, root);
    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof *parts; i++) {
        const struct json_path step = {.key = parts[i].key};

        value = json_object_get(root, step.key);
        result = value ? parts[i].read(document, &step, value) : 0;
    }
    return result;
}

/* What jansson says of a text that is no JSON, in our words where its own would not do. */
static const char *syntax_message(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "duplicate key; expected each key once";
    case json_error_invalid_utf8:
        return "not UTF-8; expected UTF-8 text";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 in a string; expected text without it";
    case json_error_stack_overflow:
        return "nested too deeply; expected a manifest";
    case json_error_numeric_overflow:
        return "a number out of range; expected a finite one of at most 64 bits";
    case json_error_end_of_input_expected:
        return "more text behind the document; expected its end";
    default:
        return error->text;
    }
}

static int fail_syntax(const struct manifest_reader *reader, const json_error_t *error)
{
    const bool is_end = json_error_code(error) == json_error_premature_end_of_input;
    const size_t position = error->position < 0 ? 0 : (size_t)error->position;
    char path[JSON_TEXT_PATH_BYTES];
    size_t offset;

    if (json_error_code(error) == json_error_out_of_memory || !error->text[0])
        return manifest_reader_fail_memory(reader);
    offset = json_text_trace(reader->text, reader->length, is_end ? reader->length + 1 : position, path);
    if (json_error_code(error) == json_error_invalid_utf8)
        offset = position;
    return manifest_reader_fail_byte(reader, path, offset, "%s", syntax_message(error));
}

static int check_bytes(const struct manifest_reader *reader)
{
    const char *nul = memchr(reader->text, 0, reader->length);

    if (reader->length >= 3 && memcmp(reader->text, "\xEF\xBB\xBF", 3) == 0)
        return manifest_reader_fail_byte(reader, "$", 0, "a byte order mark; expected UTF-8 text without one");
    if (nul)
        return manifest_reader_fail_byte(reader, "$", (size_t)(nul - reader->text), "a NUL byte; expected UTF-8 text");
    if (json_text_find(reader->text, reader->length, NULL, false) == reader->length)
        return manifest_reader_fail_byte(reader, "$", reader->length, "an empty document; expected an object");
    return 0;
}

/* jansson reads numbers by the thread's locale, whose decimal point may be no single byte. */
static int parse_json(const struct manifest_reader *reader, json_t **ret_root)
{
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    json_error_t error = {.position = 0};
    locale_t locale;

    if (!c_locale)
        return manifest_reader_fail_memory(reader);
    locale = uselocale(c_locale);
    *ret_root = json_loadb(reader->text, reader->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    (void)uselocale(locale);
    freelocale(c_locale);
    return *ret_root ? 0 : fail_syntax(reader, &error);
}

int manifest_read_document(struct manifest *manifest, const char *text, size_t length, const char *file,
                           struct diag *diag)
{
    const struct manifest_reader reader = {.text = text, .length = length, .file = file, .diag = diag};
    struct manifest_defaults defaults = {.sample_rate = 1, .max_label_values = MANIFEST_LABEL_CAP};
    const struct document document = {
        .reader = &reader, .manifest = manifest, .defaults = &defaults, .function_first = manifest->function_count};
    json_t *root;
    int result = check_bytes(&reader);

    if (result == 0)
        result = parse_json(&reader, &root);
    if (result)
        return result;
    result = read_root(&document, root);
    json_decref(root);
    free(defaults.buckets);
    return result;
}
