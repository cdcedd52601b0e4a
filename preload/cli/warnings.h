/* What `callmeter check` warns of: parts of a manifest that do less, or more, than their author may think. */
#ifndef CALLMETER_PRELOAD_CLI_WARNINGS_H
#define CALLMETER_PRELOAD_CLI_WARNINGS_H

#include <jansson.h>

struct manifest;
struct resolution;

/* One line for each warning, to standard error. */
void warnings_print(const struct manifest *manifest, const struct resolution *resolution);

/* An array with an object for each warning: `function`, null where it is about none, and `text`. The caller owns it;
 * NULL: no memory. */
json_t *warnings_to_json(const struct manifest *manifest, const struct resolution *resolution);

#endif
