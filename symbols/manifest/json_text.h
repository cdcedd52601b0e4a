/* Where in a JSON text a value stands. jansson keeps no positions, so messages find them by walking the text again.
 * Private to symbols/manifest/.
 *
 * The text is one that jansson accepted, or accepted up to the place of an error; other text gives a wrong place, never
 * an access outside of it. Nothing is allocated but for keys that hold escapes. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_JSON_TEXT_H
#define CALLMETER_SYMBOLS_MANIFEST_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    JSON_TEXT_PATH_BYTES = 240, /* of a path for people; longer ones are cut */
};

/* One step of a JSON path, linked to the steps before it; lives on the stack of who reads. The document is NULL. */
struct json_path {
    const struct json_path *parent;
    const char *key; /* of a member, or NULL: an element */
    size_t index;    /* of an element */
};

/* A walk over the children of one object or array. Offsets are bytes from the start of the text. */
struct json_walk {
    const char *text;
    size_t length;
    size_t at;        /* after the child; where a walk that ended stands */
    size_t count;     /* children so far, this one included */
    size_t key;       /* of the member: the opening quote */
    size_t key_bytes; /* quotes included; 0 in an array. A walk that ended behind a key has it still */
    size_t value;
    bool is_object;
    bool is_open; /* the child is not closed where the text ends */
};

/* Begins before the first child of the container at `offset`. False: there is no container. */
bool json_text_walk(struct json_walk *walk, const char *text, size_t length, size_t offset);

/* Goes to the next child; false at the end. */
bool json_text_next(struct json_walk *walk);

/* Offset of the value that the path leads to, or of its key. As far as the path can be followed. */
size_t json_text_find(const char *text, size_t length, const struct json_path *path, bool is_key);

/* For an error that jansson met when it had read up to `limit` (length + 1: at the end of the text): writes the path of
 * the value it was in and returns the offset of the token that it stopped at. */
size_t json_text_trace(const char *text, size_t length, size_t limit, char ret_path[static JSON_TEXT_PATH_BYTES]);

/* Offset of byte `index` of what the string at `offset` means, where all before it is ASCII, escaped or not. */
size_t json_text_in_string(const char *text, size_t length, size_t offset, size_t index);

/* Line and column of an offset, from 1; columns count characters. */
void json_text_place(const char *text, size_t length, size_t offset, int *ret_line, int *ret_column);

/* "functions[3].returns", `labels["my label"]`; "$" for the document. */
void json_text_print(const struct json_path *path, char ret_path[static JSON_TEXT_PATH_BYTES]);

#endif
