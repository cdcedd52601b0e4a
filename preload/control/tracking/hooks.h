/* Hooks: what the manifest says of a function, in the form that the trampoline reads. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_HOOKS_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#include "preload/control/segment/clock.h"
#include "preload/records/hot.h"
#include "symbols/manifest/manifest.h"

/* Memory for hooks, read by the hot path as long as the process lives. */
struct hook_arena {
    uint8_t *memory;
    size_t bytes;
    size_t used;
};

/* Bytes that a function's hook takes. */
size_t hook_bytes(const struct manifest_function *function);

/* Maps that many bytes. -ENOMEM. Context: startup. */
int hook_arena_init(struct hook_arena *arena, size_t bytes);

/* From here on nothing may be written there. */
void hook_arena_seal(struct hook_arena *arena);

/* Takes zeroed memory for something else that calls read. There must be room. */
void *hook_arena_take(struct hook_arena *arena, size_t bytes);

/* What a hook is made for. */
struct hook_config {
    const struct manifest_function *function;
    const struct clock *clock;
    uint64_t cell;
    uint64_t home;
    uint32_t index;
    uint32_t flags; /* HOOK_FLAG_...; HOOK_FLAG_JUDGE is added where conditions need it */
    const struct extra *extra;
};

/* Makes a hook, but for original and bypass, which the stub's writer knows. There must be room. Context: startup. */
struct hook *hook_create(struct hook_arena *arena, const struct hook_config *config);

/* Bytes of a variant of the function's hook: without the conditions' tables. */
size_t hook_variant_bytes(const struct manifest_function *function);

#endif
