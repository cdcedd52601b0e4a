/* Makes struct extra (preload/calls/extra.h) of what the manifest says of a function, and its tables in the segment. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_EXTRAS_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_EXTRAS_H

#include "preload/calls/extra.h"
#include "preload/control/segment/layout.h"
#include "preload/control/tracking/hooks.h"

/* What one function has in the segment. Offsets, as in struct segment_series; 0 where there is none. */
struct extras_tables {
    uint64_t values;
    uint64_t entry_values;
    uint64_t error_values;
    uint64_t sampling;
};

/* Bytes of the text arena that the tables may take. */
uint64_t extras_tables_bytes(const struct manifest_function *function, const struct layout *layout);

/* Makes the tables, empty. Context: startup. */
void extras_write_tables(struct segment_header *segment, const struct manifest_function *function,
                         const struct layout *layout, const struct value_location *values, struct extras_tables *ret);

/* Bytes that the arena must have for it. */
size_t extras_bytes(void);

/* All of it but what the stub decides (original) and the hooks (roles). `cell` is the function's first one. -ENOMEM: no
 * address space for the variants. */
struct extra *extras_create(struct hook_arena *arena, struct segment_header *segment, const struct manifest *manifest,
                            const struct resolve_target *target, const struct layout *layout,
                            const struct extras_tables *tables, uint64_t cell);

/* Has all its locations prepared (read_prepare). */
void extras_prepare(struct extra *extra, void (*prepare)(struct value_location *));

/* Maps room for the variants of a role's hooks, which take `bytes` each, unless there is some. -errno. */
int extras_map_variants(struct extra *extra, enum extra_role role, const struct layout *layout, size_t bytes);

/* Says in the variants that were filled in before where the original has gone. Nobody calls it meanwhile. */
void extras_place(struct extra *extra, enum extra_role role, void *original, void *bypass);

/* Where the trampoline counts, and where C code does, before the labels are known. */
uint64_t extras_cell(const struct layout *layout, uint64_t first);
uint64_t extras_home(const struct layout *layout, uint64_t first);

/* True if floating-point arguments are asked for. */
bool extras_has_vectors(const struct extra *extra);

/* True if calls have to be looked at when they start, when they end. */
bool extras_has_entry(const struct extra *extra);
bool extras_has_end(const struct extra *extra);

#endif
