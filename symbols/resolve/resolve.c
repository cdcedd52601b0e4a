#include "symbols/resolve/resolution.h"

#include <errno.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/common/diag.h"
#include "symbols/elf/runtime.h"
#include "symbols/resolve/function_label.h"
#include "symbols/resolve/idle.h"
#include "symbols/resolve/plan_targets.h"
#include "symbols/resolve/search.h"
#include "symbols/resolve/target_values.h"
#include "symbols/resolve/targets.h"

static int name_targets(const struct manifest *manifest, struct resolution *resolution, struct resolve_notes *notes)
{
    size_t *twin_of = bulk_calloc(resolution->count + 1, sizeof(*twin_of));
    int result;

    if (!twin_of)
        return -ENOMEM;
    result = resolve_name_targets(manifest, resolution->targets, resolution->count, twin_of);
    for (size_t i = 0; i < resolution->count && result == 0; i++)
        notes[i].twin_of = twin_of[i];
    bulk_free(twin_of);
    return result;
}

/* A runtime that is loaded limits the functions of all objects. */
static void resolve_limit_objects(struct object *const *objects, size_t object_count)
{
    const char *reason;
    enum plan_mode limit = runtime_limit_process(objects, object_count, &reason);

    for (size_t i = 0; i < object_count; i++) {
        if (objects[i]->limit <= limit)
            continue;
        objects[i]->limit = limit;
        objects[i]->limit_reason = reason;
    }
}

int resolve_manifest(const struct manifest *manifest, struct object *const *objects, size_t object_count,
                     const struct resolve_options *options, struct resolution *ret_resolution, struct diag *diag)
{
    struct resolve_search search = {.manifest = manifest, .options = options};
    struct resolution resolution = {0};
    struct resolve_notes *notes = NULL;
    struct resolve_values values = {.manifest = manifest};
    int result = resolve_search_init(&search, objects, object_count);

    resolve_limit_objects(objects, object_count);
    if (result == 0)
        result = resolve_search_all(&search);
    if (result == 0)
        result = resolve_search_join(&search, &resolution.targets, &notes, &resolution.count);
    if (result == 0)
        result = name_targets(manifest, &resolution, notes);
    if (result == 0)
        result = resolve_plan_targets(manifest, options, &values, resolution.targets, notes, resolution.count);
    if (result == 0)
        result = resolve_drop_idle(&resolution, notes);
    if (result == 0)
        result = resolve_note_inlined(&values, options->inlined_bytes_max, &resolution);
    resolve_values_finish(&values);
    bulk_free(notes);
    resolve_search_finish(&search);
    if (result < 0) {
        diag_set(diag, "resolving the manifest's functions: %s", strerror(-result));
        resolution_finish(&resolution);
        return result;
    }
    *ret_resolution = resolution;
    return 0;
}

void resolution_finish(struct resolution *resolution)
{
    for (size_t i = 0; i < resolution->count; i++)
        resolve_target_finish(&resolution->targets[i]);
    bulk_free(resolution->targets);
    memset(resolution, 0, sizeof(*resolution));
}
