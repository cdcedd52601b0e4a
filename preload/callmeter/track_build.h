/* What the parts of track.c share while functions become tracked. Private to track*.c. Context of everything: startup.
 */
#ifndef CALLMETER_PRELOAD_CALLMETER_TRACK_BUILD_H
#define CALLMETER_PRELOAD_CALLMETER_TRACK_BUILD_H

#include "preload/callmeter/extras.h"
#include "preload/callmeter/hooks.h"
#include "preload/callmeter/layout.h"
#include "preload/callmeter/patch.h"
#include "preload/callmeter/stub.h"
#include "preload/callmeter/track.h"
#include "preload/shim.h"

/* What is under way while hooks and stubs are made for the targets of one object after the other. By target, but for
 * the patches. */
struct track_build {
    const struct shim_code *code;
    struct hook_arena hooks;
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

static inline bool track_is_tracked(const struct resolve_target *target)
{
    return target->state == RESOLVE_FOUND && target->plan.mode != PLAN_REFUSED;
}

/* Makes the segment, with room for all targets' entries and tables. -errno, with the diag. */
int track_segment_create(struct track *track, struct diag *diag);

/* Writes the entries of all targets: what became of each, and the series of those that are tracked. */
void track_segment_fill(struct track *track);

/* Makes the hooks of one target. -ENOMEM: no address space for what labels need. */
int track_hooks_make(struct track *track, size_t index, struct track_hooks *hooks);

/* What the stub of such hooks is made with. */
void track_hooks_configure(const struct track *track, const struct track_hooks *hooks, struct stub_config *ret_config);

/* Says in the hooks where the original has gone. */
void track_hooks_place(const struct track *track, const struct track_hooks *hooks, const struct stub *stub);

#endif
