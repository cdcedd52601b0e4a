/* Reads labels: constant ones of the manifest, static and dynamic ones of functions. Private to symbols/manifest/.
 * Context: startup. Failures as in reader.h. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_LABEL_H
#define CALLMETER_SYMBOLS_MANIFEST_LABEL_H

#include <jansson.h>
#include <stddef.h>

#include "symbols/manifest/manifest.h"

struct json_path;
struct manifest_reader;

enum {
    MANIFEST_LABEL_CAP = 100, /* of values, where the manifest says nothing */
};

/* A label's value: as manifest_reader_copy, and of a length that Prometheus users can bear. */
int manifest_label_read_value(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              char **string);

/* Labels with constant values, sorted by name. Whatever it returns, the caller frees *labels, which was NULL. */
int manifest_label_read_constant(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_label **labels, size_t *count);

/* The `labels` of a function, whose `returns` is set, into its `labels` and `dynamic_labels`. */
int manifest_label_read_function(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_function *function);

/* The member `name` of an object: how many values are told apart. Asks for "high_cardinality": true beside it if they
 * are many. Leaves *cap as it is if there is no such member. */
int manifest_label_read_cap(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                            const char *name, size_t *cap);

void manifest_label_free(struct manifest_label *labels, size_t count);
void manifest_label_free_dynamic(struct manifest_dynamic_label *labels, size_t count);

/* Finds a label by name in labels that are sorted by it; NULL if it is not there. */
struct manifest_label *manifest_label_find(struct manifest_label *labels, size_t count, const char *name);

/* Whether the function has a label of this name, static or dynamic. */
bool manifest_label_is_of_function(const struct manifest_function *function, const char *name);

#endif
