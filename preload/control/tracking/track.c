#include "preload/control/tracking/track.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/control/objects/span.h"
#include "preload/control/patching/near.h"
#include "preload/control/patching/stub_map.h"
#include "preload/control/state/state.h"
#include "preload/control/tracking/track_build.h"
#include "preload/control/tracking/track_fallback.h"
#include "symbols/common/bulk.h"
#include "symbols/common/diag.h"

enum {
    REASON_BYTES = 128
};

static struct stub_map stub_places; /* empty where no signal is caught */

void track_refuse(struct resolve_target *target, const char *reason)
{
    target->plan.mode = PLAN_REFUSED;
    snprintf(target->reason, sizeof(target->reason), "%.*s", (int)sizeof(target->reason) - 1, reason);
}

/* Checks ----------------------------------------------------------------------------------------------------------- */

static void check_memory(struct resolve_target *target)
{
    if (track_is_hooked(target) &&
        memcmp((const void *)target->plan.address, target->plan.original, target->plan.window_bytes) != 0)
        track_refuse(target, "its code in memory differs from the file: something else has changed it");
}

/* Two names of one place share what became of it. */
static void check_alias(struct track *track, struct resolve_target *target)
{
    const struct resolve_target *first;

    if (!track_is_tracked(target) || target->same_as == SIZE_MAX)
        return;
    first = &track->resolution->targets[target->same_as];
    if (track_is_tracked(first))
        target->plan.mode = first->plan.mode;
    else
        track_refuse(target, first->reason);
}

/* Where the jump could not be written, its reason says what is counted in its place. */
static void share_failures(struct track *track)
{
    struct resolve_target *targets = track->resolution->targets;

    for (size_t n = 0; n < track->build->patch_count; n++) {
        const struct patch *patch = &track->build->patches[n];

        for (size_t i = 0; patch->result != 0 && i < track->resolution->count; i++)
            if (targets[i].same_as == patch->owner && track_is_tracked(&targets[i]))
                memcpy(targets[i].reason, targets[patch->owner].reason, sizeof(targets[i].reason));
    }
}

static void count_failures(struct track *track)
{
    track->failed = 0;
    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        bool is_failed =
            target->state == RESOLVE_MISSING || (target->state == RESOLVE_FOUND && !track_is_tracked(target));

        if (is_failed && !track_function(track, target)->is_optional)
            track->failed++;
    }
}

/* Stubs ------------------------------------------------------------------------------------------------------------ */

static void assign_layout(const struct track *track, const struct resolve_target *target, struct layout *layout)
{
    const struct manifest_function *function = track_function(track, target);
    bool has_budget = track->manifest->overhead_budget < 1;

    if (track_is_awaited(target) && track_is_foreseen(function))
        layout_init_awaited(layout, function, has_budget);
    else
        layout_init(layout, function, target, has_budget);
}

/* Gives each target a layout, cells and a row, aliases the cells of what they are an alias of. */
static void assign_cells(struct track *track)
{
    struct track_build *build = track->build;
    uint64_t next = SEGMENT_BLOCK_HEADER_BYTES;

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];

        build->rows[i] = (uint32_t)i;
        assign_layout(track, target, &build->layouts[i]);
        if (target->same_as != SIZE_MAX)
            continue;
        build->cells[i] = next;
        next += build->layouts[i].bytes;
    }
    build->cells_bytes = next;
}

size_t track_hooks_bytes(const struct track *track)
{
    size_t bytes = 0;

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];

        if (track_is_hooked(target))
            bytes += EXTRA_ROLES * hook_bytes(track_function(track, target)) + extras_bytes();
    }
    return bytes;
}

int track_build_create(struct track *track)
{
    size_t count = track->resolution->count + 1;
    const struct shim *shim = track->shim;
    struct track_build *build = calloc(1, sizeof(*build));

    track->build = build;
    if (!build)
        return -ENOMEM;
    build->code = track->clock->is_tsc ? &shim->trampolines->tsc : &shim->trampolines->clock;
    build->rows = bulk_calloc(count, sizeof(*build->rows));
    build->has_tables = bulk_calloc(count, sizeof(*build->has_tables));
    build->cells = bulk_calloc(count, sizeof(*build->cells));
    build->layouts = bulk_calloc(count, sizeof(*build->layouts));
    build->tables = bulk_calloc(count, sizeof(*build->tables));
    build->is_built = bulk_calloc(count, sizeof(*build->is_built));
    build->patches = bulk_calloc(count, sizeof(*build->patches));
    if (!build->rows || !build->has_tables || !build->cells || !build->layouts || !build->tables || !build->is_built ||
        !build->patches)
        return -ENOMEM;
    return 0;
}

static void build_destroy(struct track_build *build)
{
    if (!build)
        return;
    bulk_free(build->rows);
    bulk_free(build->has_tables);
    bulk_free(build->cells);
    bulk_free(build->layouts);
    bulk_free(build->tables);
    bulk_free(build->is_built);
    bulk_free(build->patches);
    free(build);
}

/* Writes the stub of one target to *stubs, and moves that on. */
static void build_stub(struct track *track, size_t index, uint8_t **stubs)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[index];
    struct stub_request request = {.plan = &target->plan};
    struct stub_config config;
    struct track_hooks hooks;
    struct stub stub;
    struct diag diag = {0};

    if (track_hooks_make(track, index, &hooks) != 0) {
        track_refuse(target, "there is no address space for the values of its labels");
        return;
    }
    request.hook = hooks.roles[EXTRA_TIMED];
    request.weighed = hooks.roles[EXTRA_WEIGHED];
    request.untimed = hooks.roles[EXTRA_UNTIMED];
    request.is_count_extra = hooks.extra != NULL;
    if (request.weighed) {
        request.sampling = hooks.extra->sampling;
        request.skip = hooks.extra->skip;
        request.skipped = hooks.extra->skipped;
    }
    track_hooks_configure(track, &hooks, &config);
    if (stub_write(&config, &request, *stubs, &stub, &diag) != 0) {
        track_refuse(target, diag.text);
        return;
    }
    assert(stub.bytes <= STUB_BYTES_MAX);
    track_hooks_place(track, &hooks, &stub);
    stub_map_add(build->places, &target->plan, *stubs, &stub);
    build->is_built[index] = true;
    build->patches[build->patch_count++] = (struct patch){
        .plan = &target->plan,
        .window = (uint8_t *)target->plan.address,
        .target = stub.entry,
        .owner = index,
    };
    *stubs += (stub.bytes + 15) & ~(size_t)15;
}

static bool is_hooked_in(const struct resolve_target *target, const struct object *object)
{
    return track_is_hooked(target) && target->code_object == object;
}

static void refuse_object(struct track *track, const struct object *object, const char *reason)
{
    struct resolution *resolution = track->resolution;

    for (size_t i = 0; i < resolution->count; i++)
        if (is_hooked_in(&resolution->targets[i], object))
            track_refuse(&resolution->targets[i], reason);
}

/* An area that was used before serves again if it is within reach. */
static bool take_area(struct track_area *area, const struct span *span, size_t bytes)
{
    if (!area->memory)
        return false;
    if (area->bytes >= bytes && near_reaches((uintptr_t)area->memory, area->bytes, span->low, span->high) &&
        mprotect(area->memory, area->bytes, PROT_READ | PROT_WRITE) == 0)
        return true;
    munmap(area->memory, area->bytes);
    *area = (struct track_area){0};
    return false;
}

static const char *code_denied(int error, char reason[REASON_BYTES])
{
    snprintf(reason, REASON_BYTES, "new code cannot be made executable here (%s; a security policy?)",
             strerror(-error));
    return reason;
}

/* Memory for the stubs of all targets in one object. */
static int map_area(const struct resolution *resolution, size_t first, struct track_area *area)
{
    const struct resolve_target *targets = resolution->targets;
    struct span span;
    size_t bytes = 0;
    int result = span_find(targets[first].plan.address, &span);

    for (size_t i = first; i < resolution->count; i++)
        if (is_hooked_in(&targets[i], targets[first].code_object))
            bytes += STUB_BYTES_MAX;
    if (result != 0 || take_area(area, &span, bytes))
        return result;
    result = near_map(span.low, span.high, bytes, &area->memory);
    if (result == -ENOMEM) /* gigabytes of .bss, which code reaches in other ways */
        result = near_map(span.low, span.file_high, bytes, &area->memory);
    area->bytes = result == 0 ? bytes : 0;
    return result;
}

/* Stubs for all targets of the object that the first one is in: after this each of them has a hook, or is refused. */
static void build_object(struct track *track, size_t first)
{
    struct resolution *resolution = track->resolution;
    const struct object *object = resolution->targets[first].code_object;
    size_t patches_before = track->build->patch_count;
    struct track_area *area = &track->build->area;
    char reason[REASON_BYTES];
    uint8_t *stubs;
    int result;

    if (map_area(resolution, first, area) != 0) {
        refuse_object(track, object, "there is no free address space within reach of its object");
        return;
    }
    stubs = area->memory;
    for (size_t i = first; i < resolution->count; i++)
        if (is_hooked_in(&resolution->targets[i], object))
            build_stub(track, i, &stubs);
    result = near_seal(track->shim, area->memory, area->bytes);
    if (result != 0) {
        refuse_object(track, object, code_denied(result, reason));
        track->build->patch_count = patches_before;
    }
}

/* The trampolines are made ready once. */
static int bind_thread(const struct shim *shim)
{
    static bool is_bound;
    static int result;

    if (!is_bound)
        result = shim->trampolines->bind(shim->thread_offset);
    is_bound = true;
    return result;
}

/* Stubs for all targets, or none where the trampolines themselves cannot be made ready. */
static void build_all(struct track *track)
{
    struct resolution *resolution = track->resolution;
    int result = bind_thread(track->shim);
    char reason[REASON_BYTES];

    for (size_t i = 0; i < resolution->count; i++) {
        if (!track_is_hooked(&resolution->targets[i]) || track->build->is_built[i])
            continue;
        if (!track->entries)
            track->build->area = (struct track_area){0}; /* that of the object before is in use */
        if (result == 0)
            build_object(track, i);
        else
            track_refuse(&resolution->targets[i], code_denied(result, reason));
    }
}

void track_build_stubs(struct track *track)
{
    struct resolution *resolution = track->resolution;

    for (size_t i = 0; i < resolution->count; i++)
        check_memory(&resolution->targets[i]);
    build_all(track);
    hook_arena_seal(&track->build->hooks);
    stub_map_seal(track->build->places);
    for (size_t i = 0; i < resolution->count; i++)
        check_alias(track, &resolution->targets[i]);
}

/* Patches ---------------------------------------------------------------------------------------------------------- */

bool track_has_threads(void)
{
    return patch_has_threads();
}

void track_build_patch(struct track *track, bool is_live)
{
    struct resolution *resolution = track->resolution;
    struct track_build *build = track->build;

    patch_apply(build->patches, build->patch_count, is_live);
    track_fall_back(track, build->patches, build->patch_count);
    share_failures(track);
    for (size_t i = 0; i < resolution->count; i++)
        check_alias(track, &resolution->targets[i]);
}

/* Interface -------------------------------------------------------------------------------------------------------- */

int track_prepare(struct track *track, struct diag *diag)
{
    struct resolution *resolution = track->resolution;
    int result = track_build_create(track);

    if (result == 0) {
        assign_cells(track);
        result = hook_arena_init(&track->build->hooks, track_hooks_bytes(track));
    }
    if (result != 0) {
        diag_set(diag, "no memory for %zu functions (%s)", resolution->count, strerror(-result));
        return result;
    }
    result = track_segment_create(track, diag);
    if (result != 0)
        return result;
    result = stub_map_init(&stub_places, track->manifest->panics.signal_count > 0 ? resolution->count : 0);
    if (result != 0) {
        diag_set(diag, "no memory for the places of %zu functions", resolution->count);
        return result;
    }
    track->build->places = &stub_places;
    track_build_stubs(track);
    count_failures(track);
    return 0;
}

void track_apply(struct track *track)
{
    track_build_patch(track, track_has_threads());
    count_failures(track);
    track_segment_fill(track);
}

struct stub_map *track_stubs(void)
{
    return &stub_places;
}

void track_finish(struct track *track)
{
    build_destroy(track->build);
    track->build = NULL;
}
