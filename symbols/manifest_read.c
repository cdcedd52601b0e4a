/* Reads one JSON document into a manifest that is being made. */
#include "symbols/manifest_read.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/diag.h"
#include "symbols/manifest.h"
#include "symbols/manifest_check.h"
#include "symbols/manifest_function.h"
#include "symbols/manifest_reader.h"

static const struct manifest_key document_keys[] = {
    {"version", true},    {"namespace", true},   {"labels", true},
    {"listen", true},     {"executables", true}, {"follow_exec", true},
    {"defaults", true},   {"functions", true},   {"overhead_budget", false},
    {"resources", false}, {"panics", false},     {"state", false},
    {"web", false},       {NULL, false},
};

static const struct manifest_key defaults_keys[] = {
    {"buckets", true}, {"sample_rate", false}, {"max_label_values", false}, {"high_cardinality", false}, {NULL, false},
};

/* A document that is being read. */
struct document {
    const struct manifest_reader *reader;
    struct manifest_draft *draft;
    size_t function_first; /* index of its first function in the manifest */
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
    char **namespace_ = &document->draft->manifest->namespace_;
    const int result = manifest_reader_copy(document->reader, path, value, namespace_);

    if (result == 0 && !manifest_check_is_name(*namespace_))
        return manifest_reader_fail(document->reader, path,
                                    "not a prefix for names of metrics; expected [a-zA-Z_][a-zA-Z0-9_]*");
    return result;
}

static int read_listen(const struct document *document, const struct json_path *path, json_t *value)
{
    char **listen = &document->draft->manifest->listen;
    const int result = manifest_reader_copy(document->reader, path, value, listen);

    if (result == 0 && manifest_check_listen(*listen, document->reader->diag))
        return manifest_reader_fail(document->reader, path, "%s", document->reader->diag->text);
    return result;
}

static int read_follow_exec(const struct document *document, const struct json_path *path, json_t *value)
{
    return manifest_reader_bool(document->reader, path, value, &document->draft->manifest->follow_exec);
}

static void free_executables(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->executable_count; i++)
        free(manifest->executables[i]);
    free(manifest->executables);
    manifest->executables = NULL;
    manifest->executable_count = 0;
}

static int read_executables(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest *manifest = document->draft->manifest;
    const size_t count = json_array_size(value);
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(document->reader, path, value, "an array of globs");
    free_executables(manifest);
    manifest->executables = calloc(count + 1, sizeof *manifest->executables);
    if (!manifest->executables)
        return manifest_reader_fail_memory(document->reader);
    manifest->executable_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};

        result =
            manifest_reader_glob(document->reader, &step, json_array_get(value, i), &manifest->executables[i], NULL);
    }
    return result;
}

static int read_defaults(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest_draft *draft = document->draft;
    const struct json_path step = {.parent = path, .key = "buckets"};
    double *buckets;
    json_t *member;
    int result = manifest_reader_check_keys(document->reader, path, value, defaults_keys);

    if (result)
        return result;
    member = json_object_get(value, step.key);
    if (!member)
        return 0;
    result = manifest_reader_buckets(document->reader, &step, member, &buckets, &draft->default_bucket_count);
    if (result)
        return result;
    free(draft->default_buckets);
    draft->default_buckets = buckets;
    return 0;
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
                                   struct manifest_label *labels, size_t count)
{
    const struct manifest *manifest = document->draft->manifest;

    for (size_t i = 0; i < document->function_first; i++) {
        const struct manifest_function *function = &manifest->functions[i];

        for (size_t j = 0; j < function->label_count; j++) {
            const struct json_path step = {.parent = path, .key = function->labels[j].name};

            if (manifest_reader_find_label(labels, count, step.key))
                return manifest_reader_fail_key(
                    document->reader, &step,
                    "a function of an earlier manifest has a label of this name; expected another name");
        }
    }
    return 0;
}

static int read_labels(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest_label *labels = NULL;
    size_t count = 0;
    int result = manifest_reader_labels(document->reader, path, value, &labels, &count);

    if (result == 0)
        result = check_earlier_functions(document, path, labels, count);
    if (result == 0 && unite_labels(document->draft->manifest, labels, &count))
        result = manifest_reader_fail_memory(document->reader);
    manifest_reader_free_labels(labels, count);
    return result;
}

static int check_constant_labels(const struct document *document, const struct json_path *path,
                                 const struct manifest_function *function)
{
    const struct json_path labels = {.parent = path, .key = "labels"};
    const struct manifest *manifest = document->draft->manifest;

    for (size_t i = 0; i < function->label_count; i++) {
        const struct json_path step = {.parent = &labels, .key = function->labels[i].name};

        if (manifest_reader_find_label(manifest->labels, manifest->label_count, step.key))
            return manifest_reader_fail_key(document->reader, &step,
                                            "a constant label has this name already; expected another name");
    }
    return 0;
}

static int compare_texts(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static const char *shown_name(const struct manifest_function *function)
{
    return function->name ? function->name : function->symbol;
}

/* Entries that ask for the same thing; 0 if they do. */
static int compare_entries(const struct manifest_function *a, const struct manifest_function *b)
{
    int order = strcmp(a->symbol, b->symbol);

    if (order == 0)
        order = compare_texts(a->object, b->object);
    if (order == 0)
        order = strcmp(shown_name(a), shown_name(b));
    return order;
}

/* For sorting pointers into the array of functions: by what they ask for, then by place. */
static int compare_places(const void *left, const void *right)
{
    const struct manifest_function *a = *(const struct manifest_function *const *)left;
    const struct manifest_function *b = *(const struct manifest_function *const *)right;
    const int order = compare_entries(a, b);

    return order ? order : (a > b) - (a < b);
}

static int fail_duplicate(const struct document *document, const struct manifest_function *first,
                          const struct manifest_function *second)
{
    const struct manifest_function *functions = document->draft->manifest->functions;
    const struct json_path list = {.key = "functions"};
    const struct json_path step = {.parent = &list, .index = (size_t)(second - functions) - document->function_first};

    if ((size_t)(first - functions) < document->function_first)
        return manifest_reader_fail(document->reader, &step,
                                    "same symbol, object and name as in an earlier manifest (line %d there); "
                                    "expected one entry or another \"name\"",
                                    first->line);
    return manifest_reader_fail(
        document->reader, &step,
        "same symbol, object and name as functions[%zu]; expected one entry or another \"name\"",
        (size_t)(first - functions) - document->function_first);
}

/* Reports the first entry that an earlier one equals. Sorts, since a hostile document may have a million. */
static int check_duplicates(const struct document *document)
{
    const struct manifest *manifest = document->draft->manifest;
    const struct manifest_function **sorted = calloc(manifest->function_count + 1, sizeof *sorted);
    const struct manifest_function *first = NULL;
    const struct manifest_function *second = NULL;

    if (!sorted)
        return manifest_reader_fail_memory(document->reader);
    for (size_t i = 0; i < manifest->function_count; i++)
        sorted[i] = &manifest->functions[i];
    qsort(sorted, manifest->function_count, sizeof *sorted, compare_places);
    for (size_t i = 1; i < manifest->function_count; i++)
        if (compare_entries(sorted[i - 1], sorted[i]) == 0 && (!second || sorted[i] < second)) {
            first = sorted[i - 1];
            second = sorted[i];
        }
    free(sorted);
    return second ? fail_duplicate(document, first, second) : 0;
}

/* Makes room for the functions of this document, zeroed. */
static int grow_functions(struct manifest *manifest, size_t count)
{
    struct manifest_function *functions =
        reallocarray(manifest->functions, manifest->function_count + count + 1, sizeof *functions);

    if (!functions)
        return -ENOMEM;
    memset(functions + manifest->function_count, 0, (count + 1) * sizeof *functions);
    manifest->functions = functions;
    return 0;
}

/* The line of one element after the other, in one pass over the text. */
struct line_counter {
    struct json_walk walk;
    size_t counted; /* bytes */
    int line;
};

static void begin_lines(struct line_counter *lines, const struct manifest_reader *reader, const struct json_path *path)
{
    const size_t offset = json_text_find(reader->text, reader->length, path, false);

    *lines = (struct line_counter){.line = 1};
    (void)json_text_walk(&lines->walk, reader->text, reader->length, offset);
}

static int next_line(struct line_counter *lines)
{
    (void)json_text_next(&lines->walk);
    for (; lines->counted < lines->walk.value; lines->counted++)
        lines->line += lines->walk.text[lines->counted] == '\n';
    return lines->line;
}

static int read_functions(const struct document *document, const struct json_path *path, json_t *value)
{
    struct manifest *manifest = document->draft->manifest;
    struct line_counter lines;
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(document->reader, path, value, "an array of functions");
    if (grow_functions(manifest, json_array_size(value)))
        return manifest_reader_fail_memory(document->reader);
    begin_lines(&lines, document->reader, path);
    for (size_t i = 0; result == 0 && i < json_array_size(value); i++) {
        const struct json_path step = {.parent = path, .index = i};
        struct manifest_function *function = &manifest->functions[manifest->function_count++];

        function->line = next_line(&lines);
        result = manifest_function_read(document->reader, &step, json_array_get(value, i), function);
        if (result == 0)
            result = check_constant_labels(document, &step, function);
    }
    return result ? result : check_duplicates(document);
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
    /* The version before all that depends on it, constant labels before the functions. */
    static const struct {
        const char *key;
        int (*read)(const struct document *document, const struct json_path *path, json_t *value);
    } parts[] = {
        {"namespace", read_namespace},     {"labels", read_labels},           {"listen", read_listen},
        {"executables", read_executables}, {"follow_exec", read_follow_exec}, {"defaults", read_defaults},
        {"functions", read_functions},
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

int manifest_read_document(struct manifest_draft *draft, const char *text, size_t length, const char *file,
                           struct diag *diag)
{
    const struct manifest_reader reader = {.text = text, .length = length, .file = file, .diag = diag};
    const struct document document = {
        .reader = &reader, .draft = draft, .function_first = draft->manifest->function_count};
    json_t *root;
    int result = check_bytes(&reader);

    if (result == 0)
        result = parse_json(&reader, &root);
    if (result)
        return result;
    result = read_root(&document, root);
    json_decref(root);
    return result;
}
