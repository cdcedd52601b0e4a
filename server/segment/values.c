/* Values of labels that come from calls, as texts. */
#include "server/segment/values.h"

#include <stdbool.h>
#include <string.h>

#include "server/common/numbers.h"
#include "server/common/utf8.h"
#include "server/segment/segment.h"
#include "server/segment/view.h"

size_t values_sanitize(const char *bytes, size_t count, char text[VALUE_TEXT_BYTES])
{
    size_t length = 0;

    count = strnlen(bytes, count);
    for (size_t i = 0; i < count;) {
        size_t taken = utf8_length(bytes + i, count - i);
        const char *character = taken ? bytes + i : UTF8_REPLACEMENT;
        size_t added = taken ? taken : strlen(UTF8_REPLACEMENT);

        if (length + added > VALUE_TEXT_MAX)
            break;
        memcpy(text + length, character, added);
        length += added;
        i += taken ? taken : 1;
    }
    text[length] = '\0';
    return length;
}

/* Values ----------------------------------------------------------------------------------------------------------- */

_Static_assert((int)NUMBERS_BYTES <= (int)VALUE_TEXT_BYTES, "numbers fit");

static void set_word(char *text, const char *word)
{
    memcpy(text, word, strlen(word) + 1);
}

static void format_scalar(enum segment_value_type type, uint64_t word, char *text)
{
    uint32_t low = (uint32_t)word;
    float single;
    double number;

    memcpy(&single, &low, sizeof(single));
    memcpy(&number, &word, sizeof(number));
    if (type == SEGMENT_VALUE_BOOL)
        set_word(text, word ? "true" : "false");
    else if (type == SEGMENT_VALUE_INT64)
        numbers_format_int64((int64_t)word, text);
    else if (type == SEGMENT_VALUE_UINT64)
        numbers_format_uint64(word, text);
    else if (type == SEGMENT_VALUE_FLOAT)
        numbers_format_float(single, text);
    else if (type == SEGMENT_VALUE_DOUBLE)
        numbers_format_double(number, text);
    else if (word)
        numbers_format_hexadecimal(word, text);
    else
        set_word(text, "null");
}

/* Before the map. */
static void format_raw(const struct segment_value *label, const char *field, char *text)
{
    uint64_t length;
    uint64_t word;

    memcpy(&length, field, sizeof(length));
    if (length == SEGMENT_VALUE_INVALID) {
        set_word(text, "invalid");
    } else if (label->type == SEGMENT_VALUE_STRING) {
        values_sanitize(field + sizeof(length), length < SEGMENT_STRING_BYTES ? length : SEGMENT_STRING_BYTES, text);
    } else {
        memcpy(&word, field + sizeof(length), sizeof(word));
        format_scalar((enum segment_value_type)label->type, word, text);
    }
}

void values_format(const struct view *view, const struct view_values *values, uint32_t place, uint32_t label,
                   char text[VALUE_TEXT_BYTES])
{
    const struct segment_value *source = &values->labels[label];
    const char *replacement;

    if (place >= values->capacity) {
        set_word(text, VALUE_OTHER);
        return;
    }
    format_raw(source, values->keys + (size_t)place * values->key_bytes + source->key_offset, text);
    replacement = source->map ? view_mapped(view, source->map, text) : NULL;
    if (replacement)
        values_sanitize(replacement, strlen(replacement), text);
}

/* Labels ----------------------------------------------------------------------------------------------------------- */

size_t values_labels_bytes_max(const struct view *view, const struct view_values *values, size_t static_length)
{
    size_t bytes = static_length + 1;

    for (uint32_t i = 0; i < values->label_count; i++)
        bytes += strlen(view_text(view, values->labels[i].name)) + 1 + VALUE_TEXT_BYTES;
    return bytes;
}

static size_t pair_bytes(const char *pair)
{
    size_t name_bytes = strlen(pair) + 1;

    return name_bytes + strlen(pair + name_bytes) + 1;
}

static bool has_label(const char *labels, const char *name)
{
    for (; *labels; labels += pair_bytes(labels))
        if (strcmp(labels, name) == 0)
            return true;
    return false;
}

/* Is the label no label, or there already? */
static bool is_left_out(const struct view *view, const struct view_values *values, uint32_t label,
                        const char *static_labels)
{
    const char *name = view_text(view, values->labels[label].name);

    for (uint32_t i = 0; i < label; i++)
        if (strcmp(view_text(view, values->labels[i].name), name) == 0)
            return true;
    return !*name || has_label(static_labels, name);
}

static char *put_text(char *cursor, const char *text)
{
    size_t bytes = strlen(text) + 1;

    memcpy(cursor, text, bytes);
    return cursor + bytes;
}

/* Moves the pairs before `name`, or all if that is NULL, to *cursor. Returns those that are left. */
static const char *put_pairs(char **cursor, const char *pairs, const char *name)
{
    while (*pairs && (!name || strcmp(pairs, name) < 0)) {
        size_t bytes = pair_bytes(pairs);

        memcpy(*cursor, pairs, bytes);
        *cursor += bytes;
        pairs += bytes;
    }
    return pairs;
}

size_t values_write_labels(const struct view *view, const struct view_values *values, uint32_t place,
                           const char *static_labels, char *text)
{
    const char *rest = static_labels;
    char *cursor = text;

    for (uint32_t i = 0; i < values->label_count; i++) {
        const char *name = view_text(view, values->labels[i].name);

        if (is_left_out(view, values, i, static_labels))
            continue;
        rest = put_pairs(&cursor, rest, name);
        cursor = put_text(cursor, name);
        values_format(view, values, place, i, cursor);
        cursor += strlen(cursor) + 1;
    }
    put_pairs(&cursor, rest, NULL);
    *cursor = '\0';
    return (size_t)(cursor - text);
}
