/* What the parts of tracking share while functions become tracked, and what late/ does anew with a library that comes.
 * Context of everything: startup, or in a call of dlopen. */
#ifndef CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_BUILD_H
#define CALLMETER_PRELOAD_CONTROL_TRACKING_TRACK_BUILD_H

#include "preload/control/patching/patch.h"
#include "preload/control/patching/stub.h"
#include "preload/control/segment/layout.h"
#include "preload/control/tracking/extras.h"
#include "preload/control/tracking/hooks.h"
#include "preload/control/tracking/tracked.h"
#include "preload/shim.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

/* Memory for stubs. */
struct track_area {
    uint8_t *memory;
    size_t bytes;
};

/* What is under way while hooks and stubs are made for the targets of one object after the other. By target, but for
 * the patches. */
struct track_build {
    const struct shim_code *code;
    struct hook_arena hooks;
    struct stub_map *places;
    struct track_area area; /* of the object whose stubs were made last */
    uint32_t *rows;         /* where each is in the segment's functions[] */
    bool *has_tables;       /* tables[] is set, and they are in use */
    uint64_t *cells;
    struct layout *layouts;
    struct extras_tables *tables;
    bool *is_built; /* has a stub */
    uint64_t cells_bytes;
    struct patch *patches;
    size_t patch_count;
};

/* The hooks of one target: one a role, those that it needs. */
struct track_hooks {
    struct hook *roles[EXTRA_ROLES];
    struct extra *extra; /* or NULL */
};

static inline const struct manifest_function *track_function(const struct track *track,
                                                             const struct resolve_target *target)
{
    return &track->manifest->functions[target->function];
}

/* Its place in the whole manifest. */
static inline uint32_t track_entry(const struct track *track, const struct resolve_target *target)
{
    return (uint32_t)(track->entries ? track->entries[target->function] : target->function);
}

/* True if the function may be found in a library that comes later. */
static inline bool track_is_awaited(const struct resolve_target *target)
{
    return target->state != RESOLVE_FOUND;
}

static inline bool track_is_tracked(const struct resolve_target *target)
{
    return target->state == RESOLVE_FOUND && target->plan.mode != PLAN_REFUSED;
}

/* True for the targets that get a hook of their own. */
static inline bool track_is_hooked(const struct resolve_target *target)
{
    return track_is_tracked(target) && target->same_as == SIZE_MAX;
}

/* Turns a target down, for a reason that a user understands. */
void track_refuse(struct resolve_target *target, const char *reason);

/* Allocates track->build, for the targets of the resolution. -ENOMEM. To be destroyed in any case (track_finish). */
int track_build_create(struct track *track);

/* The bytes of all hooks, once layouts are set. */
size_t track_hooks_bytes(const struct track *track);

/* Holds the targets' code against the file and makes their hooks and stubs: what has none then is refused. Layouts,
 * cells and rows are set, the arena and the map of places have room. */
void track_build_stubs(struct track *track);

/* Writes the jumps; what could not be written is refused. `is_live`: threads may be running the code. */
void track_build_patch(struct track *track, bool is_live);

/* True if the process has other threads. */
bool track_has_threads(void);

/* True if the function's entry in the segment is complete before its library is there: it is one function, and all that
 * is to be counted is known by the manifest. */
bool track_is_foreseen(const struct manifest_function *function);

/* Makes the segment, with room for all targets' entries and tables. -errno, with the diag. */
int track_segment_create(struct track *track, struct diag *diag);

/* Writes the entries of all targets: what became of each, and the series of those that are tracked or foreseen. */
void track_segment_fill(struct track *track);

/* The entry of a target's function, and of its series (`row`: where the function's is). */
struct segment_function track_segment_function(const struct track *track, const struct resolve_target *target);
struct segment_series track_segment_series(const struct track *track, size_t index, uint32_t row);

/* Makes the hooks of one target. -ENOMEM: no address space for what labels need. */
int track_hooks_make(struct track *track, size_t index, struct track_hooks *hooks);

/* What the stub of such hooks is made with. */
void track_hooks_configure(const struct track *track, const struct track_hooks *hooks, struct stub_config *ret_config);

/* Says in the hooks where the original has gone. */
void track_hooks_place(const struct track *track, const struct track_hooks *hooks, const struct stub *stub);

#endif
