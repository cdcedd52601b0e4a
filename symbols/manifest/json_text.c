/* Where in a JSON text a value stands. */
#include "symbols/manifest/json_text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"

enum {
    TRACE_DEPTH_MAX = 16, /* each level is walked once more: bounds the time that a hostile text takes */
};

static size_t skip_space(const char *text, size_t length, size_t at)
{
    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}

/* From the opening quote to behind the closing one. */
static size_t skip_string(const char *text, size_t length, size_t at, bool *ret_is_open)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    *ret_is_open = at >= length;
    return at < length ? at + 1 : length;
}

static bool is_scalar_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

static size_t skip_container(const char *text, size_t length, size_t at, bool *ret_is_open)
{
    size_t depth = 0;

    while (at < length) {
        const char c = text[at];

        if (c == '"') {
            at = skip_string(text, length, at, ret_is_open);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        if ((c == '}' || c == ']') && --depth == 0) {
            *ret_is_open = false;
            return at;
        }
    }
    *ret_is_open = true;
    return length;
}

static size_t skip_value(const char *text, size_t length, size_t at, bool *ret_is_open)
{
    *ret_is_open = false;
    if (at >= length)
        return length;
    if (text[at] == '"')
        return skip_string(text, length, at, ret_is_open);
    if (text[at] == '{' || text[at] == '[')
        return skip_container(text, length, at, ret_is_open);
    while (at < length && is_scalar_byte(text[at]))
        at++;
    return at;
}

bool json_text_walk(struct json_walk *walk, const char *text, size_t length, size_t offset)
{
    if (offset >= length || (text[offset] != '{' && text[offset] != '['))
        return false;
    *walk = (struct json_walk){.text = text, .length = length, .at = offset + 1, .is_object = text[offset] == '{'};
    return true;
}

static bool skip_byte(struct json_walk *walk, char c)
{
    walk->at = skip_space(walk->text, walk->length, walk->at);
    if (walk->at >= walk->length || walk->text[walk->at] != c)
        return false;
    walk->at++;
    return true;
}

static bool next_key(struct json_walk *walk)
{
    walk->at = skip_space(walk->text, walk->length, walk->at);
    if (walk->at >= walk->length || walk->text[walk->at] != '"')
        return false;
    walk->key = walk->at;
    walk->at = skip_string(walk->text, walk->length, walk->key, &walk->is_open);
    if (walk->is_open) {
        walk->at = walk->key;
        return false;
    }
    walk->key_bytes = walk->at - walk->key;
    return skip_byte(walk, ':');
}

bool json_text_next(struct json_walk *walk)
{
    walk->key_bytes = 0;
    if (walk->count > 0 && !skip_byte(walk, ','))
        return false;
    if (walk->is_object && !next_key(walk))
        return false;
    walk->value = walk->at = skip_space(walk->text, walk->length, walk->at);
    if (walk->at >= walk->length || strchr("]},:", walk->text[walk->at]))
        return false;
    walk->at = skip_value(walk->text, walk->length, walk->value, &walk->is_open);
    if (walk->at == walk->value) /* a byte that begins no token */
        return false;
    walk->count++;
    return true;
}

static bool key_is(const struct json_walk *walk, const char *key)
{
    const char *raw = walk->text + walk->key;
    json_t *string;
    bool is_same;

    if (!memchr(raw, '\\', walk->key_bytes))
        return strlen(key) == walk->key_bytes - 2 && memcmp(raw + 1, key, walk->key_bytes - 2) == 0;
    string = json_loadb(raw, walk->key_bytes, JSON_DECODE_ANY, NULL);
    is_same = string && strcmp(json_string_value(string), key) == 0;
    json_decref(string);
    return is_same;
}

static bool is_child(const struct json_walk *walk, const struct json_path *step)
{
    if (walk->is_object)
        return step->key && key_is(walk, step->key);
    return !step->key && walk->count == step->index + 1;
}

size_t json_text_find(const char *text, size_t length, const struct json_path *path, bool is_key)
{
    struct json_walk walk;
    size_t offset;

    if (!path)
        return skip_space(text, length, 0);
    offset = json_text_find(text, length, path->parent, false);
    if (!json_text_walk(&walk, text, length, offset))
        return offset;
    while (json_text_next(&walk))
        if (is_child(&walk, path))
            return is_key && walk.is_object ? walk.key : walk.value;
    return offset;
}

static bool is_word(const char *key, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(key[i] == '_' || (key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z') ||
              (i > 0 && key[i] >= '0' && key[i] <= '9')))
            return false;
    return length > 0;
}

/* All of these write behind the path so far. What is too long for it ends in "...". */
static void print_text(char *path, const char *text)
{
    const size_t used = strlen(path);
    const size_t room = JSON_TEXT_PATH_BYTES - used;

    if ((size_t)snprintf(path + used, room, "%s", text) >= room)
        memcpy(path + diag_cut(path, JSON_TEXT_PATH_BYTES, JSON_TEXT_PATH_BYTES - 4), "...", 4);
}

static void print_key(char *path, const char *key, size_t length)
{
    const size_t kept = diag_cut(key, length, 64);
    const char *dots = kept < length ? "..." : "";
    char step[64 + 8];

    if (is_word(key, length))
        (void)snprintf(step, sizeof step, "%s%.*s%s", *path ? "." : "", (int)kept, key, dots);
    else
        (void)snprintf(step, sizeof step, "[\"%.*s%s\"]", (int)kept, key, dots);
    print_text(path, step);
}

static void print_index(char *path, size_t index)
{
    char step[32];

    (void)snprintf(step, sizeof step, "[%zu]", index);
    print_text(path, step);
}

static void print_steps(const struct json_path *path, char *text)
{
    if (!path)
        return;
    print_steps(path->parent, text);
    if (path->key)
        print_key(text, path->key, strlen(path->key));
    else
        print_index(text, path->index);
}

void json_text_print(const struct json_path *path, char ret_path[static JSON_TEXT_PATH_BYTES])
{
    ret_path[0] = '\0';
    print_steps(path, ret_path);
    if (!path)
        print_text(ret_path, "$");
}

/* Goes on to the child of the container at *offset in which the text ends. False: it ends between children, at the
 * offset that is then set. */
static bool trace_step(const char *text, size_t length, size_t limit, size_t *offset, char *path)
{
    struct json_walk walk;

    if (!json_text_walk(&walk, text, length, *offset))
        return false;
    while (json_text_next(&walk)) {
        if (!walk.is_open && (walk.at < limit || text[walk.value] == '{' || text[walk.value] == '['))
            continue;
        *offset = walk.value;
        if (walk.is_object)
            print_key(path, text + walk.key + 1, walk.key_bytes - 2);
        else
            print_index(path, walk.count - 1);
        return true;
    }
    *offset = skip_space(text, length, walk.at);
    if (walk.key_bytes > 0) {
        print_key(path, text + walk.key + 1, walk.key_bytes - 2);
        *offset = walk.at >= limit ? walk.key : *offset;
    }
    return false;
}

/* Where the document goes on: in its root (true), or behind it, or at a token that is no container. */
static bool trace_root(const char *text, size_t length, size_t *offset)
{
    const size_t begin = skip_space(text, length, 0);
    bool is_open;
    const size_t end = skip_value(text, length, begin, &is_open);
    struct json_walk walk;

    *offset = begin;
    if (is_open)
        return true;
    if (end < length || json_text_walk(&walk, text, length, begin))
        *offset = skip_space(text, length, end);
    return false;
}

size_t json_text_trace(const char *text, size_t length, size_t limit, char ret_path[static JSON_TEXT_PATH_BYTES])
{
    size_t readable = limit < length ? limit : length;
    size_t offset;
    int depth = 0;

    /* A bracket that is the error itself closes nothing. */
    if (limit > 0 && limit <= length && (text[limit - 1] == ']' || text[limit - 1] == '}'))
        readable = --limit;
    ret_path[0] = '\0';
    if (trace_root(text, readable, &offset))
        while (depth < TRACE_DEPTH_MAX && trace_step(text, readable, limit, &offset, ret_path))
            depth++;
    if (depth == TRACE_DEPTH_MAX) {
        print_text(ret_path, "...");
        offset = readable;
    }
    if (!ret_path[0])
        print_text(ret_path, "$");
    return limit > length ? length : offset;
}

size_t json_text_in_string(const char *text, size_t length, size_t offset, size_t index)
{
    size_t at = offset + 1;

    for (; index > 0 && at < length && text[at] != '"'; index--) {
        if (text[at] == '\\')
            at += at + 1 < length && text[at + 1] == 'u' ? 6 : 2;
        else
            at++;
    }
    return at < length ? at : length;
}

void json_text_place(const char *text, size_t length, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1;
    int column = 1;

    for (size_t i = 0; i < offset && i < length; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}
