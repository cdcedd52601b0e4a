/* What the kinds of functions are: their names, the labels they require, their default buckets. Private to
 * symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_KIND_H
#define CALLMETER_SYMBOLS_MANIFEST_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "symbols/manifest/manifest.h"

struct json_path;
struct manifest_reader;

/* Reads the word that stands for a kind. Failures as in reader.h. */
int manifest_kind_read(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       enum manifest_kind *ret_kind);

/* The labels that a function of the kind must have; ends with NULL. */
const char *const *manifest_kind_labels(enum manifest_kind kind);

/* Whether its calls are batches of items. */
bool manifest_kind_has_items(enum manifest_kind kind);

/* Bounds for functions of the kind, where the document gives none; static. */
const double *manifest_kind_buckets(enum manifest_kind kind, size_t *ret_count);

#endif
