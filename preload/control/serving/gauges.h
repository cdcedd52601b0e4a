/* Gauges of resources that no call feeds: constants, and variables of the program, read before each snapshot. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_GAUGES_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_GAUGES_H

#include <stddef.h>

struct manifest;
struct object;
struct segment_header;
struct shim;

/* Stores the constants in the segment's resources, and finds the variables in `objects` (the program first). A variable
 * that is not there is told of in the log, and left out. Keeps nothing of the manifest and the objects. Once. Context:
 * startup. */
void gauges_prepare(const struct shim *shim, const struct manifest *manifest, struct object *const *objects,
                    size_t count, struct segment_header *segment);

/* Stores what the variables are now. One that cannot be read is not known until it can be again. Context: server
 * thread. */
void gauges_refresh(void);

/* What a person should know of a variable that could not be read, for the log: a static text, once; else NULL. Context:
 * server thread. */
const char *gauges_trouble(void);

#endif
