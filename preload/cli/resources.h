/* What `callmeter check` says of the resources of a manifest: where each number would be read, or why it would not. */
#ifndef CALLMETER_PRELOAD_CLI_RESOURCES_H
#define CALLMETER_PRELOAD_CLI_RESOURCES_H

#include <stddef.h>

#include <jansson.h>

struct manifest;
struct object;

/* One line for each number, to standard output. The program's object comes first. */
void resources_print(const struct manifest *manifest, struct object *const *objects, size_t count);

/* An array with an object for each resource: `name`, `in_use` and `limit`, the latter null where there is none. The
 * caller owns it; NULL: no memory. */
json_t *resources_to_json(const struct manifest *manifest, struct object *const *objects, size_t count);

#endif
