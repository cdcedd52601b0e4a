/* Reads the list `resources` of a document. Private to symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_RESOURCE_H
#define CALLMETER_SYMBOLS_MANIFEST_RESOURCE_H

#include <jansson.h>

struct json_path;
struct manifest;
struct manifest_reader;
struct manifest_resource;

/* Appends the resources of a document to those of the documents before it. Its functions have been read already.
 * Failures as in reader.h. */
int manifest_resource_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           struct manifest *manifest);

/* Frees what the resource holds. */
void manifest_resource_finish(struct manifest_resource *resource);

#endif
