/* Values of labels that come from calls, as texts that a label may have. */
#ifndef CALLMETER_SERVER_SEGMENT_VALUES_H
#define CALLMETER_SERVER_SEGMENT_VALUES_H

#include <stddef.h>
#include <stdint.h>

struct view;
struct view_values;

enum {
    VALUE_TEXT_MAX = 64,                  /* bytes of a value, as the manifest's users know it */
    VALUE_TEXT_BYTES = VALUE_TEXT_MAX + 1 /* with the NUL */
};

/* All values beyond the cap on how many there may be. */
#define VALUE_OTHER "_other"

/* The text of the label-th value at a place, renamed as its map says: valid UTF-8, NUL-terminated. Context: server
 * thread, without allocation. */
void values_format(const struct view *view, const struct view_values *values, uint32_t place, uint32_t label,
                   char text[VALUE_TEXT_BYTES]);

/* Copies text up to its NUL, or `count` bytes if there is none. What is no UTF-8 becomes U+FFFD, byte by byte; then it
 * is cut where a character begins. Returns the length. */
size_t values_sanitize(const char *bytes, size_t count, char text[VALUE_TEXT_BYTES]);

/* The bytes that are needed, at most, by values_write_labels. */
size_t values_labels_bytes_max(const struct view *view, const struct view_values *values, size_t static_length);

/* Writes the labels of a place, name NUL value NUL ... NUL, sorted by name as long as both parts are: the static ones,
 * given in that form, and those of the values. Where both have a name, the static label stays. Returns the bytes
 * written, without the last NUL. */
size_t values_write_labels(const struct view *view, const struct view_values *values, uint32_t place,
                           const char *static_labels, char *text);

#endif
