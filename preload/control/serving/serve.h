/* The endpoint of this process: loads the http module, and starts it when the program's constructors have run. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_SERVE_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_SERVE_H

#include <stdbool.h>

struct clock;
struct manifest;
struct segment_header;
struct shim;

/* The settings, or the manifest, ask for an endpoint. Context: any. */
bool serve_is_wanted(const struct shim *shim, const struct manifest *manifest);

/* Arranges for the endpoint to start before main, if the settings ask for one. Context: startup. */
void serve_prepare(const struct shim *shim, const struct manifest *manifest, const struct clock *clock,
                   struct segment_header *segment);

#endif
