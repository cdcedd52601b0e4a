/* Reads the list `functions` of a document. Private to symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_FUNCTIONS_H
#define CALLMETER_SYMBOLS_MANIFEST_FUNCTIONS_H

#include <jansson.h>
#include <stddef.h>

struct json_path;
struct manifest;
struct manifest_defaults;
struct manifest_reader;

/* Appends the functions of a document to those of the documents before it, whose constant labels are there already.
 * Failures as in reader.h. */
int manifest_functions_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                            const struct manifest_defaults *defaults, struct manifest *manifest);

#endif
