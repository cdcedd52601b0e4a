/* What became of the manifest, for the person who reads the log. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TELL_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TELL_H

#include <stdbool.h>

#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

struct shim;

/* A line for each function that is not tracked, one for all that match a glob; none for those of is_told, by the
 * manifest's function (NULL: none of them is). Context: startup, or in a call of dlopen. */
void tell_resolution(const struct shim *shim, const struct manifest *manifest, const struct resolution *resolution,
                     const bool *is_told);

#endif
