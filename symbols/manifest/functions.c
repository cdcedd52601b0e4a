/* Reads the list `functions` of a document. */
#include "symbols/manifest/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/manifest/function.h"
#include "symbols/manifest/json_text.h"
#include "symbols/manifest/label.h"
#include "symbols/manifest/manifest.h"
#include "symbols/manifest/reader.h"

/* A list that is being read. */
struct list {
    const struct manifest_reader *reader;
    struct manifest *manifest;
    size_t first; /* index of its first function in the manifest */
};

static int check_constant_labels(const struct list *list, const struct json_path *path,
                                 const struct manifest_function *function)
{
    const struct json_path labels = {.parent = path, .key = "labels"};

    for (size_t i = 0; i < list->manifest->label_count; i++) {
        const struct json_path step = {.parent = &labels, .key = list->manifest->labels[i].name};

        if (manifest_label_is_of_function(function, step.key))
            return manifest_reader_fail_key(list->reader, &step,
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
    int order = compare_texts(a->symbol, b->symbol);

    if (order == 0)
        order = compare_texts(a->build_id, b->build_id);
    if (order == 0)
        order = (a->offset > b->offset) - (a->offset < b->offset);
    if (order == 0)
        order = compare_texts(a->object, b->object);
    if (order == 0)
        order = compare_texts(shown_name(a), shown_name(b));
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

static int fail_duplicate(const struct list *list, const struct manifest_function *first,
                          const struct manifest_function *second)
{
    const struct manifest_function *functions = list->manifest->functions;
    const struct json_path all = {.key = "functions"};
    const struct json_path step = {.parent = &all, .index = (size_t)(second - functions) - list->first};
    const char *place = first->symbol ? "symbol, object" : "build id, offset";

    if ((size_t)(first - functions) < list->first)
        return manifest_reader_fail(list->reader, &step,
                                    "same %s and name as in an earlier manifest (line %d there); "
                                    "expected one entry or another \"name\"",
                                    place, first->line);
    return manifest_reader_fail(list->reader, &step,
                                "same %s and name as functions[%zu]; expected one entry or another \"name\"", place,
                                (size_t)(first - functions) - list->first);
}

/* Reports the first entry that an earlier one equals. Sorts, since a hostile document may have a million. */
static int check_duplicates(const struct list *list)
{
    const struct manifest *manifest = list->manifest;
    const struct manifest_function **sorted = calloc(manifest->function_count + 1, sizeof *sorted);
    const struct manifest_function *first = NULL;
    const struct manifest_function *second = NULL;

    if (!sorted)
        return manifest_reader_fail_memory(list->reader);
    for (size_t i = 0; i < manifest->function_count; i++)
        sorted[i] = &manifest->functions[i];
    qsort(sorted, manifest->function_count, sizeof *sorted, compare_places);
    for (size_t i = 1; i < manifest->function_count; i++)
        if (compare_entries(sorted[i - 1], sorted[i]) == 0 && (!second || sorted[i] < second)) {
            first = sorted[i - 1];
            second = sorted[i];
        }
    free(sorted);
    return second ? fail_duplicate(list, first, second) : 0;
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

int manifest_functions_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                            const struct manifest_defaults *defaults, struct manifest *manifest)
{
    const struct list list = {.reader = reader, .manifest = manifest, .first = manifest->function_count};
    struct line_counter lines;
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(reader, path, value, "an array of functions");
    if (grow_functions(manifest, json_array_size(value)))
        return manifest_reader_fail_memory(reader);
    begin_lines(&lines, reader, path);
    for (size_t i = 0; result == 0 && i < json_array_size(value); i++) {
        const struct json_path step = {.parent = path, .index = i};
        struct manifest_function *function = &manifest->functions[manifest->function_count++];

        function->line = next_line(&lines);
        result = manifest_function_read(reader, &step, json_array_get(value, i), defaults, function);
        if (result == 0)
            result = check_constant_labels(&list, &step, function);
    }
    return result ? result : check_duplicates(&list);
}
