/* Brings in the panic module, where the manifest asks for what it does, or the endpoint needs it. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_PANIC_LOAD_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_PANIC_LOAD_H

#include <stdbool.h>

struct manifest;
struct object;
struct panic_module;
struct segment_header;
struct shim;
struct stub_map;

/* The manifest asks for reports or for recovery. Context: any. */
bool panic_is_wanted(const struct manifest *manifest);

/* Loads the module, on the first thread. `program` is the executable, or NULL if its file could not be read; the stubs
 * and the segment stay valid for ever. NULL: it cannot be had, which was logged if the
 * manifest asks for it. Context: startup. */
const struct panic_module *panic_load(const struct shim *shim, const struct manifest *manifest,
                                      const struct object *program, const struct segment_header *segment,
                                      const struct stub_map *stubs);

#endif
