#include "preload/control/late/late.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/control/late/late_rows.h"
#include "preload/control/late/manifest_part.h"
#include "preload/control/objects/as_loaded.h"
#include "preload/control/objects/loaded.h"
#include "preload/control/patching/stub_map.h"
#include "preload/control/segment/rows.h"
#include "preload/control/tracking/tell.h"
#include "preload/control/tracking/track.h"
#include "preload/control/tracking/track_build.h"
#include "symbols/common/diag.h"
#include "symbols/elf/runtime.h"

enum {
    ROWS_A_PATTERN = 512, /* functions that a pattern may find later */
    ROWS_A_NAME = 4,      /* those that a name may: overloads, static ones, in several libraries */
    ROWS_MAX = 2048,      /* in all */
    LOCK_NAPS = 5000,     /* milliseconds: a change takes some of them, more for a large library in C++ */
};

#define CELL_BYTES_MAX (UINT64_C(1) << 20) /* of them all, in each block */
#define TEXT_BYTES_MAX (UINT64_C(8) << 20)

/* What was made for a library. */
struct late_visit {
    struct late_visit *next;
    bool is_live;
    struct hook_arena hooks;
    size_t hooks_bytes;
    struct track_area area;
    struct stub_map places;
    uint32_t *rows; /* of the functions that it has hooks for */
    size_t row_count;
    uint32_t *live; /* and of those that are tracked, while it is live */
    size_t live_count;
    const uint8_t *window; /* one of those that were patched, while it is live; NULL: there is none */
    int32_t distance;      /* of the jump there */
};

static struct late_config config;
static struct late_visit *visits;
static uint32_t *found; /* by entry: functions that are there now */
static bool *is_told;   /* by entry: what became of it, which is most often the same each time */

/* Room ------------------------------------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* An entry that has found nothing yet, or one that means several libraries: more of them may come. */
static bool may_find_more(const struct manifest *manifest, const struct resolution *resolution, size_t i)
{
    const struct resolve_target *target = &resolution->targets[i];
    const char *object = manifest->functions[target->function].object;

    if (target->state != RESOLVE_FOUND)
        return true;
    return object && strpbrk(object, "*?[\\") && (i == 0 || target[-1].function != target->function);
}

struct track_reserve late_reserve(const struct manifest *manifest, const struct resolution *resolution)
{
    struct track_reserve reserve = {0};

    for (size_t i = 0; i < resolution->count; i++) {
        const struct manifest_function *function = &manifest->functions[resolution->targets[i].function];
        uint32_t rows = function->is_glob ? ROWS_A_PATTERN : ROWS_A_NAME;
        struct layout layout;

        if (!may_find_more(manifest, resolution, i))
            continue;
        layout_init_awaited(&layout, function, manifest->overhead_budget < 1);
        reserve.functions += rows;
        reserve.cell_bytes += rows * layout.bytes;
        reserve.text_bytes += rows * (LATE_ROW_TEXT_BYTES + extras_tables_bytes(function, &layout));
    }
    reserve.functions = (uint32_t)least(reserve.functions, ROWS_MAX);
    reserve.cell_bytes = least(reserve.cell_bytes, CELL_BYTES_MAX);
    reserve.text_bytes = least(reserve.text_bytes, TEXT_BYTES_MAX);
    return reserve;
}

int late_init(const struct late_config *given, const struct resolution *resolution)
{
    config = *given;
    found = calloc(config.manifest->function_count + 1, sizeof(*found));
    is_told = calloc(config.manifest->function_count + 1, sizeof(*is_told));
    if (!found || !is_told)
        return -ENOMEM;
    for (size_t i = 0; i < resolution->count; i++)
        found[resolution->targets[i].function] += resolution->targets[i].state == RESOLVE_FOUND;
    return late_rows_init(&config);
}

/* Visits ----------------------------------------------------------------------------------------------------------- */

static struct late_visit *visit_add(size_t row_capacity)
{
    struct late_visit *visit = calloc(1, sizeof(*visit));

    if (!visit)
        return NULL;
    visit->rows = calloc(row_capacity + 1, sizeof(*visit->rows));
    visit->live = calloc(row_capacity + 1, sizeof(*visit->live));
    if (!visit->rows || !visit->live) {
        free(visit->rows);
        free(visit->live);
        free(visit);
        return NULL;
    }
    visit->next = visits;
    visits = visit;
    return visit;
}

struct late_visit *late_note(const struct resolution *resolution, uintptr_t load_bias)
{
    struct late_visit *visit = NULL;

    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];

        if (!track_is_tracked(target) || target->object->load_bias != load_bias)
            continue;
        if (!visit)
            visit = visit_add(resolution->count);
        if (!visit)
            return NULL;
        visit->live[visit->live_count++] = (uint32_t)i;
        visit->is_live = true;
    }
    return visit;
}

static bool has_row(const struct late_visit *visit, uint32_t row)
{
    for (size_t i = 0; i < visit->live_count; i++)
        if (visit->live[i] == row)
            return true;
    return false;
}

static bool is_row_live(uint32_t row)
{
    for (const struct late_visit *visit = visits; visit; visit = visit->next)
        if (visit->is_live && has_row(visit, row))
            return true;
    return false;
}

static size_t list_rows(const struct track *track, uint32_t *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < track->resolution->count; i++)
        if (track_is_tracked(&track->resolution->targets[i]))
            rows[count++] = track->build->rows[i];
    return count;
}

/* True if the same hooks were made for it in the same order. */
static bool is_alike(const struct late_visit *visit, const uint32_t *rows, size_t count, size_t hooks_bytes)
{
    return !visit->is_live && visit->hooks_bytes > 0 && visit->hooks_bytes == hooks_bytes &&
           visit->row_count == count && memcmp(visit->rows, rows, count * sizeof(*rows)) == 0;
}

static bool visit_reopen(struct late_visit *visit)
{
    visit->hooks.used = 0;
    visit->places.count = 0;
    return mprotect(visit->hooks.memory, visit->hooks.bytes, PROT_READ | PROT_WRITE) == 0;
}

static bool visit_fill(struct late_visit *visit, size_t row_count)
{
    size_t places = config.manifest->panics.signal_count > 0 ? row_count : 0;

    if (hook_arena_init(&visit->hooks, visit->hooks_bytes) != 0 || stub_map_init(&visit->places, places) != 0)
        return false;
    stub_map_append(config.places, &visit->places);
    return true;
}

/* A visit for what is to be tracked now: one of before, or a new one. NULL: no memory. */
static struct late_visit *visit_take(const struct track *track)
{
    size_t hooks_bytes = track_hooks_bytes(track);
    uint32_t *rows = calloc(track->resolution->count + 1, sizeof(*rows));
    size_t count = rows ? list_rows(track, rows) : 0;
    struct late_visit *visit = visits;

    while (rows && visit && !is_alike(visit, rows, count, hooks_bytes))
        visit = visit->next;
    if (visit) {
        visit = visit_reopen(visit) ? visit : NULL;
    } else if (count > 0 && (visit = visit_add(count))) {
        memcpy(visit->rows, rows, count * sizeof(*rows));
        visit->row_count = count;
        visit->hooks_bytes = hooks_bytes;
        if (!visit_fill(visit, count)) {
            visit->hooks_bytes = 0; /* is like no other */
            visit = NULL;
        }
    }
    free(rows);
    return visit;
}

/* Waits a while for another process's or thread's change. False: it does not come to an end. */
static bool lock_tables(void)
{
    return config.shim->lanes->lock_take(&config.segment->tables_lock, LOCK_NAPS);
}

static void unlock_tables(void)
{
    config.shim->lanes->lock_leave(&config.segment->tables_lock);
}

/* Arrivals --------------------------------------------------------------------------------------------------------- */

/* IFUNCs cannot be asked before the library is relocated: what they pick depends on variables of its own. */
static uint64_t ask_ifunc(const struct object *object, const struct symbol *symbol, void *context)
{
    const enum late_pass *pass = context;

    return *pass == LATE_BUT_IFUNCS ? 0 : loaded_ifunc(object, symbol, NULL);
}

/* What this pass is not about is as if it were not there. Entries without `object` look everywhere, and are no news
 * where they find nothing. */
static void leave_out(const struct manifest *manifest, struct resolution *resolution, enum late_pass pass,
                      bool *ret_has_ifuncs)
{
    for (size_t i = 0; i < resolution->count; i++) {
        struct resolve_target *target = &resolution->targets[i];
        bool is_ifunc = target->state == RESOLVE_FOUND && target->symbol->is_ifunc;
        bool is_out = target->state == RESOLVE_FOUND
                          ? pass != LATE_ALL && is_ifunc != (pass == LATE_IFUNCS)
                          : pass == LATE_IFUNCS || !manifest->functions[target->function].object;

        *ret_has_ifuncs |= is_ifunc && pass == LATE_BUT_IFUNCS;
        if (!is_out)
            continue;
        target->state = RESOLVE_PENDING;
        target->reason[0] = '\0';
    }
}

static bool asks_errno(const struct condition *condition)
{
    for (size_t i = 0; i < condition->count; i++)
        if (condition->tests[i].source == CONDITION_ERRNO)
            return true;
    return false;
}

/* The libc of another namespace has an errno of its own. */
static void refuse_errno(const struct manifest *manifest, struct resolution *resolution)
{
    for (size_t i = 0; i < resolution->count; i++) {
        const struct manifest_function *function = &manifest->functions[resolution->targets[i].function];

        if (track_is_tracked(&resolution->targets[i]) &&
            (function->error_type == MANIFEST_ERROR_TYPE_ERRNO || asks_errno(&function->error_when) ||
             asks_errno(&function->throttled_when)))
            track_refuse(&resolution->targets[i],
                         "it was loaded by dlmopen, with a libc whose errno cannot be seen from here");
    }
}

static void note_window(struct late_visit *visit, const struct track_build *build)
{
    visit->window = NULL;
    for (size_t i = 0; i < build->patch_count && !visit->window; i++) {
        if (build->patches[i].result != 0)
            continue;
        visit->window = build->patches[i].window;
        memcpy(&visit->distance, visit->window + 1, sizeof(visit->distance));
    }
}

/* The lock is held. */
static struct late_visit *track_locked(struct track *track, bool is_relocated)
{
    struct resolution *resolution = track->resolution;
    struct late_visit *visit;

    late_rows_assign(track);
    visit = visit_take(track);
    if (visit) {
        track->build->hooks = visit->hooks;
        track->build->area = visit->area;
        track->build->places = &visit->places;
        track_build_stubs(track);
        visit->hooks = track->build->hooks;
        visit->area = track->build->area;
        track_build_patch(track, is_relocated && track_has_threads());
        note_window(visit, track->build);
    }
    for (size_t i = 0; !visit && i < resolution->count; i++)
        if (track_is_tracked(&resolution->targets[i]))
            track_refuse(&resolution->targets[i], "there is no memory for it");
    late_rows_write(track, is_row_live);
    for (size_t i = 0; i < resolution->count; i++)
        found[track_entry(track, &resolution->targets[i])] += track_is_tracked(&resolution->targets[i]);
    if (visit) {
        visit->live_count = list_rows(track, visit->live);
        visit->is_live = true;
    }
    return visit;
}

/* Once for each entry, but for what is of no interest yet. */
static void tell(const struct manifest_part *part, const struct resolution *resolution)
{
    bool *is_old = calloc(part->manifest.function_count, sizeof(*is_old));

    for (size_t i = 0; is_old && i < part->manifest.function_count; i++)
        is_old[i] = is_told[part->entries[i]];
    tell_resolution(config.shim, &part->manifest, resolution, is_old);
    free(is_old);
    for (size_t i = 0; i < resolution->count; i++)
        if (resolution->targets[i].state != RESOLVE_PENDING)
            is_told[part->entries[resolution->targets[i].function]] = true;
}

static struct late_visit *track_found(const struct manifest_part *part, struct resolution *resolution,
                                      bool is_relocated)
{
    struct track track = {
        .shim = config.shim,
        .manifest = &part->manifest,
        .entries = part->entries,
        .resolution = resolution,
        .clock = config.clock,
        .segment = config.segment,
    };
    struct late_visit *visit = NULL;

    if (track_build_create(&track) != 0)
        config.shim->log(LOG_LEVEL_ERROR, "no memory to track functions of a library that was loaded");
    else if (!lock_tables())
        config.shim->log(LOG_LEVEL_ERROR, "a library that was loaded is not tracked: another process, which is "
                                          "stopped, is changing the tables");
    else {
        visit = track_locked(&track, is_relocated);
        unlock_tables();
        tell(part, resolution);
    }
    track_finish(&track);
    return visit;
}

static void expect_name(const char *name)
{
    const char *reason;
    enum plan_mode limit = runtime_limit_late(name, config.is_data_scanned, &reason);

    if (limit >= config.limit)
        return;
    config.limit = limit;
    config.limit_reason = reason;
}

void late_expect(const char *path, const char *soname)
{
    const char *slash = strrchr(path, '/');

    expect_name(slash ? slash + 1 : path);
    if (soname)
        expect_name(soname);
}

static void limit_object(struct object *object)
{
    if (object->limit <= config.limit)
        return;
    object->limit = config.limit;
    object->limit_reason = config.limit_reason;
}

static struct late_visit *look_into(const struct manifest_part *part, struct object *library,
                                    const struct late_object *given, enum late_pass pass, bool *ret_has_ifuncs)
{
    const struct resolve_options options = {
        .ifunc = ask_ifunc, .context = &pass, .has_shadow_stack = config.has_shadow_stack};
    struct resolution resolution;
    struct late_visit *visit = NULL;
    struct diag diag = {0};

    limit_object(library);
    if (resolve_manifest(&part->manifest, &library, 1, &options, &resolution, &diag) != 0) {
        config.shim->log(LOG_LEVEL_ERROR, "%s is not tracked: %s", given->path, diag.text);
        return NULL;
    }
    leave_out(&part->manifest, &resolution, pass, ret_has_ifuncs);
    if (given->is_elsewhere)
        refuse_errno(&part->manifest, &resolution);
    visit = track_found(part, &resolution, given->is_relocated);
    resolution_finish(&resolution);
    return visit;
}

struct late_visit *late_arrive(const struct late_object *object, enum late_pass pass, bool *ret_has_ifuncs)
{
    struct manifest_part part;
    struct object *library;
    struct late_visit *visit = NULL;
    struct diag diag = {0};

    *ret_has_ifuncs = false;
    if (manifest_part_init(&part, config.manifest, found, object) != 0)
        return NULL;
    if (part.manifest.function_count > 0) {
        if (!as_loaded_is(object->path, object->load_bias)) {
            config.shim->log(LOG_LEVEL_WARN, "%s is left out: the file was replaced since it was loaded", object->path);
        } else if (object_open(object->path, object->load_bias, false, &library, &diag) == 0) {
            visit = look_into(&part, library, object, pass, ret_has_ifuncs);
            object_close(library);
        } else {
            config.shim->log(LOG_LEVEL_WARN, "%s is left out: %s", object->path, diag.text);
        }
    }
    manifest_part_finish(&part);
    return visit;
}

bool late_is_in_place(const struct late_visit *visit)
{
    return !visit || !visit->window || memcmp(visit->window + 1, &visit->distance, sizeof(visit->distance)) == 0;
}

void late_leave(struct late_visit *visit)
{
    bool is_locked;

    if (!visit)
        return;
    visit->is_live = false;
    is_locked = lock_tables();
    for (size_t i = 0; i < visit->live_count; i++) {
        uint32_t row = visit->live[i];

        found[rows_at(config.segment, row)->entry]--;
        if (is_locked && !is_row_live(row))
            late_rows_retire(row);
    }
    if (is_locked)
        unlock_tables();
}
