#include "preload/callmeter/track.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/callmeter/extras.h"
#include "preload/callmeter/hooks.h"
#include "preload/callmeter/layout.h"
#include "preload/callmeter/near.h"
#include "preload/callmeter/panic_load.h"
#include "preload/callmeter/patch.h"
#include "preload/callmeter/span.h"
#include "preload/callmeter/state.h"
#include "preload/callmeter/stub.h"
#include "preload/callmeter/stub_map.h"
#include "preload/callmeter/writer.h"
#include "preload/shim.h"
#include "symbols/diag.h"

enum {
    TEXT_ROOM = 65536
};

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

static struct stub_map stub_places; /* empty where nobody asks */

static const struct manifest_function *function_of(const struct track *track, const struct resolve_target *target)
{
    return &track->manifest->functions[target->function];
}

/* What the manifest calls it. */
static const char *manifest_symbol(const struct manifest_function *function)
{
    return function->symbol ? function->symbol : function->build_id;
}

static bool is_tracked(const struct resolve_target *target)
{
    return target->state == RESOLVE_FOUND && target->plan.mode != PLAN_REFUSED;
}

/* True for the targets that get a hook of their own. */
static bool is_hooked(const struct resolve_target *target)
{
    return is_tracked(target) && target->same_as == SIZE_MAX;
}

static void refuse(struct resolve_target *target, const char *reason)
{
    target->plan.mode = PLAN_REFUSED;
    snprintf(target->reason, sizeof(target->reason), "%.*s", (int)sizeof(target->reason) - 1, reason);
}

static enum segment_function_state state_of(const struct resolve_target *target)
{
    switch (target->state) {
    case RESOLVE_MISSING:
        return SEGMENT_MISSING;
    case RESOLVE_PENDING:
        return SEGMENT_PENDING;
    default:
        return target->plan.mode == PLAN_FULL    ? SEGMENT_FULL
               : target->plan.mode == PLAN_COUNT ? SEGMENT_COUNT
                                                 : SEGMENT_REFUSED;
    }
}

/* Checks
 * ------------------------------------------------------------------------------------------------------------------------
 */

static void check_memory(struct resolve_target *target)
{
    if (is_hooked(target) &&
        memcmp((const void *)target->plan.address, target->plan.original, target->plan.window_bytes) != 0)
        refuse(target, "its code in memory differs from the file: something else has changed it");
}

static bool is_same_condition(const struct condition *a, const struct condition *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->tests, b->tests, a->count * sizeof(*a->tests)) == 0);
}

static bool is_same_buckets(const struct manifest_function *a, const struct manifest_function *b)
{
    return a->bucket_count == b->bucket_count &&
           (a->bucket_count == 0 || memcmp(a->buckets, b->buckets, a->bucket_count * sizeof(double)) == 0);
}

/* Anything that makes a function's cells other than those of a plain one. */
static bool has_extra(const struct track *track, const struct resolve_target *target)
{
    struct layout layout;

    layout_init(&layout, function_of(track, target), target, track->manifest->overhead_budget < 1);
    return layout_has_extra(&layout, target->value_count);
}

/* True if both come from one entry, or ask the same, and no more than a plain function has. */
static bool is_alike(const struct track *track, const struct resolve_target *a, const struct resolve_target *b)
{
    const struct manifest_function *first = function_of(track, a);
    const struct manifest_function *second = function_of(track, b);

    if (a->function == b->function)
        return true;
    return is_same_condition(&first->error_when, &second->error_when) &&
           is_same_condition(&first->throttled_when, &second->throttled_when) && is_same_buckets(first, second) &&
           first->has_recover == second->has_recover && first->recover_value == second->recover_value &&
           !has_extra(track, a) && !has_extra(track, b);
}

/* Two names of one place share its counters, so they must ask the same of it. */
static void check_alias(struct track *track, struct resolve_target *target)
{
    const struct resolve_target *first;

    if (!is_tracked(target) || target->same_as == SIZE_MAX)
        return;
    first = &track->resolution->targets[target->same_as];
    if (!is_tracked(first))
        refuse(target, first->reason);
    else if (!is_alike(track, first, target))
        refuse(target, "another entry tracks the same code with other settings");
    else
        target->plan.mode = first->plan.mode;
}

static void count_failures(struct track *track)
{
    track->failed = 0;
    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        bool is_failed = target->state == RESOLVE_MISSING || (target->state == RESOLVE_FOUND && !is_tracked(target));

        if (is_failed && !function_of(track, target)->is_optional)
            track->failed++;
    }
}

/* Segment
 * -----------------------------------------------------------------------------------------------------------------------
 */

static size_t labels_bytes(const struct manifest_label *labels, size_t count)
{
    size_t bytes = 1;

    for (size_t i = 0; i < count; i++)
        bytes += strlen(labels[i].name) + strlen(labels[i].value) + 2;
    return bytes;
}

static uint64_t resources_bytes(const struct manifest *manifest)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < manifest->resource_count; i++)
        bytes += strlen(manifest->resources[i].name) + 16;
    return bytes;
}

static struct writer_size size_of(const struct track *track)
{
    uint32_t count = (uint32_t)track->resolution->count;
    struct writer_size size = {
        .functions = count,
        .series = count,
        .resources = (uint32_t)track->manifest->resource_count,
        .text_bytes = TEXT_ROOM + resources_bytes(track->manifest),
        .cell_bytes = track->build->cells_bytes,
    };

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        const struct manifest_function *function = function_of(track, target);

        size.text_bytes += strlen(target->name) + strlen(manifest_symbol(function)) + 2 * sizeof(target->reason) + 64;
        size.text_bytes += extras_tables_bytes(function, &track->build->layouts[i]);
        size.text_bytes += labels_bytes(function->labels, function->label_count);
        size.text_bytes += labels_bytes(track->manifest->labels, track->manifest->label_count);
        size.text_bytes += function->bucket_count * sizeof(double);
        if (target->object)
            size.text_bytes += strlen(target->object->base_name) + 16;
        if (target->symbol)
            size.text_bytes += strlen(target->symbol->name) + 16;
    }
    return size;
}

static char *put_label(char *end, const struct manifest_label *label)
{
    end = mempcpy(end, label->name, strlen(label->name) + 1);
    return mempcpy(end, label->value, strlen(label->value) + 1);
}

/* The two sorted lists as one, in the segment's form. */
static uint64_t write_labels(struct segment_header *segment, const struct manifest_label *a, size_t a_count,
                             const struct manifest_label *b, size_t b_count)
{
    char *text = malloc(labels_bytes(a, a_count) + labels_bytes(b, b_count));
    char *end = text;
    uint64_t offset;

    if (!text)
        return segment->text;
    while (a_count + b_count > 0) {
        if (b_count == 0 || (a_count > 0 && strcmp(a->name, b->name) < 0)) {
            end = put_label(end, a++);
            a_count--;
        } else {
            end = put_label(end, b++);
            b_count--;
        }
    }
    *end++ = '\0';
    offset = writer_bytes(segment, text, (size_t)(end - text));
    free(text);
    return offset;
}

static uint32_t write_function(const struct track *track, const struct resolve_target *target)
{
    struct segment_header *segment = track->segment;
    const struct manifest_function *function = function_of(track, target);
    const char *symbol = function->is_glob && target->symbol ? target->symbol->name : manifest_symbol(function);
    struct segment_function entry = {
        .name = writer_text(segment, target->name),
        .module = target->object ? writer_text(segment, target->object->base_name) : segment->text,
        .symbol = writer_text(segment, symbol),
        .reason = writer_text(segment, target->reason),
        .state = state_of(target),
        .is_optional = function->is_optional,
        .has_recover = function->has_recover,
    };

    return writer_add_function(segment, &entry);
}

static void write_series(const struct track *track, const struct resolve_target *target, uint32_t function_index)
{
    struct segment_header *segment = track->segment;
    const struct manifest_function *function = function_of(track, target);
    size_t place = target->same_as == SIZE_MAX ? (size_t)(target - track->resolution->targets) : target->same_as;
    const struct layout *layout = &track->build->layouts[place];
    const struct extras_tables *tables = &track->build->tables[place];
    uint64_t cell = track->build->cells[place];
    struct segment_series entry = {
        .function = function_index,
        .bucket_count = (uint32_t)function->bucket_count,
        .kind = writer_text(segment, manifest_kind_name(function->kind)),
        .labels = write_labels(segment, function->labels, function->label_count, track->manifest->labels,
                               track->manifest->label_count),
        .bounds = writer_bytes(segment, function->buckets, function->bucket_count * sizeof(double)),
        .cell = cell,
        .is_from_glob = function->is_glob,
        .has_no_duration = target->plan.mode == PLAN_COUNT,
        .cell_words = layout->cell_words,
        .summed_words = layout->summed_words,
        .skipped_word = layout->skipped,
        .items_word = layout->items,
        .interval_word = layout->interval,
        .errors_word = layout->errors,
        .error_count = layout->error_count,
        .last_start_word = layout->last_start,
        .last_success_word = layout->last_success,
        .last_finish_word = layout->last_finish,
        .sampling = tables->sampling,
        .values = tables->values,
        .error_values = tables->error_values,
        .entry_values = tables->entry_values,
        .entry_cell = layout->entry_cells ? cell + layout->cell_count * layout->stride : 0,
        .entry_cells = layout->entry_cells,
        .is_health_check = function->kind == MANIFEST_KIND_HEALTH_CHECK,
    };

    writer_add_series(segment, &entry);
}

static void write_signals(const struct track *track)
{
    const struct manifest_panics *panics = &track->manifest->panics;
    struct segment_header *segment = track->segment;

    for (size_t i = 0; i < panics->signal_count && i < SEGMENT_SIGNALS_MAX; i++)
        segment->signals[segment->signal_count++] = (uint32_t)panics->signals[i];
}

/* In the state file; where that is not possible, in memory. */
static int make_segment(struct track *track, const struct writer_size *size)
{
    double seconds_per_tick = track->clock->seconds_per_tick;

    if (track->state->file.fresh >= 0) {
        int result = writer_create(size, seconds_per_tick, track->state->file.fresh, &track->segment);

        if (result == 0)
            return 0;
        state_give_up(track->state, result);
    }
    return writer_create(size, seconds_per_tick, -1, &track->segment);
}

static int write_segment(struct track *track, struct diag *diag)
{
    const struct manifest *manifest = track->manifest;
    struct writer_size size = size_of(track);
    int result = make_segment(track, &size);

    if (result != 0) {
        diag_set(diag, "no address space for the counters (%s)", strerror(-result));
        return result;
    }
    track->segment->namespace_ = writer_text(track->segment, manifest->namespace_);
    track->segment->constant_labels = write_labels(track->segment, manifest->labels, manifest->label_count, NULL, 0);
    write_signals(track);
    for (size_t i = 0; i < manifest->resource_count; i++)
        ((struct segment_resource *)((char *)track->segment + track->segment->resources))[i].name =
            writer_text(track->segment, manifest->resources[i].name);
    return 0;
}

/* Stubs
 * -------------------------------------------------------------------------------------------------------------------------
 */

/* Gives each target a layout and cells, aliases those of what they are an alias of. Returns the bytes of all hooks. */
static size_t assign_cells(struct track *track)
{
    struct track_build *build = track->build;
    uint64_t next = SEGMENT_BLOCK_HEADER_BYTES;
    size_t bytes = 0;

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        const struct manifest_function *function = function_of(track, target);

        layout_init(&build->layouts[i], function, target, track->manifest->overhead_budget < 1);
        if (target->same_as != SIZE_MAX)
            continue;
        build->cells[i] = next;
        next += build->layouts[i].bytes;
        if (is_hooked(target))
            bytes += EXTRA_ROLES * hook_bytes(function) + extras_bytes();
    }
    build->cells_bytes = next;
    return bytes;
}

static int build_init(struct track *track)
{
    size_t count = track->resolution->count + 1;
    const struct shim *shim = track->shim;
    struct track_build *build = calloc(1, sizeof(*build));

    track->build = build;
    if (!build)
        return -ENOMEM;
    build->code = track->clock->is_tsc ? &shim->code_tsc : &shim->code_clock;
    build->cells = calloc(count, sizeof(*build->cells));
    build->layouts = calloc(count, sizeof(*build->layouts));
    build->tables = calloc(count, sizeof(*build->tables));
    build->is_built = calloc(count, sizeof(*build->is_built));
    build->patches = calloc(count, sizeof(*build->patches));
    if (!build->cells || !build->layouts || !build->tables || !build->is_built || !build->patches)
        return -ENOMEM;
    return hook_arena_init(&build->hooks, assign_cells(track));
}

static void build_destroy(struct track_build *build)
{
    if (!build)
        return;
    free(build->cells);
    free(build->layouts);
    free(build->tables);
    free(build->is_built);
    free(build->patches);
    free(build);
}

/* The hooks of one target: one a role, those that it needs. */
struct hooks {
    struct hook *roles[EXTRA_ROLES];
    struct extra *extra; /* or NULL */
};

static struct hook *make_hook(struct track *track, size_t index, struct extra *extra, enum extra_role role)
{
    static const uint32_t flags[EXTRA_ROLES] = {0, HOOK_FLAG_WEIGHED | HOOK_FLAG_JUDGE, HOOK_FLAG_UNTIMED};
    struct track_build *build = track->build;
    const struct layout *layout = &build->layouts[index];
    struct hook_config config = {
        .function = function_of(track, &track->resolution->targets[index]),
        .clock = track->clock,
        .cell = extras_cell(layout, build->cells[index]),
        .home = extras_home(layout, build->cells[index]),
        .index = (uint32_t)index,
        .flags = flags[role],
        .extra = extra,
    };

    if (extra && extras_has_end(extra))
        config.flags |= HOOK_FLAG_JUDGE;
    if (extra && extras_has_vectors(extra))
        config.flags |= HOOK_FLAG_VECTORS;

    return hook_create(&build->hooks, &config);
}

/* -ENOMEM: no address space for what labels need. */
static int make_hooks(struct track *track, size_t index, struct hooks *hooks)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[index];
    const struct manifest_function *function = function_of(track, target);
    const struct layout *layout = &build->layouts[index];
    enum extra_role last = !layout->is_sampled ? EXTRA_TIMED : layout->skipped ? EXTRA_WEIGHED : EXTRA_UNTIMED;

    *hooks = (struct hooks){0};
    if (layout_has_extra(layout, target->value_count)) {
        extras_write_tables(track->segment, function, layout, target->values, &build->tables[index]);
        hooks->extra = extras_create(&build->hooks, track->segment, track->manifest, target, layout,
                                     &build->tables[index], build->cells[index]);
        extras_prepare(hooks->extra, track->shim->read_prepare);
    }
    for (enum extra_role role = EXTRA_TIMED; role <= last; role++) {
        hooks->roles[role] = make_hook(track, index, hooks->extra, role);
        if (hooks->extra)
            hooks->extra->roles[role].base = hooks->roles[role];
        if (layout->entry_labels && extras_map_variants(hooks->extra, role, layout, hook_variant_bytes(function)) != 0)
            return -ENOMEM;
    }
    return 0;
}

static bool is_by_extra(const struct hooks *hooks)
{
    return hooks->extra && extras_has_entry(hooks->extra);
}

static void configure(const struct track *track, const struct hooks *hooks, struct stub_config *config)
{
    const struct shim_code *code = track->build->code;

    *config = (struct stub_config){
        .entry = is_by_extra(hooks) ? code->late_entry : code->entry,
        .sample = is_by_extra(hooks) ? code->late_sample : code->sample,
        .entry_untimed = track->shim->entry_untimed,
        .count_slow = track->shim->count_slow,
        .thread_offset = track->shim->thread_offset,
    };
}

/* Says in the hooks where the original has gone. */
static void set_originals(struct track *track, struct hooks *hooks, const struct stub *stub)
{
    if (hooks->extra)
        hooks->extra->original = stub->original;
    for (unsigned role = 0; role < EXTRA_ROLES; role++) {
        if (!hooks->roles[role])
            continue;
        hooks->roles[role]->original = stub->original;
        if (is_by_extra(hooks))
            hooks->roles[role]->original =
                (void *)(uintptr_t)(role == EXTRA_UNTIMED ? track->shim->extra_untimed : track->build->code->extra);
        hooks->roles[role]->bypass = stub->bypass;
    }
}

/* Writes the stub of one target to *stubs, and moves that on. */
static void build_stub(struct track *track, size_t index, uint8_t **stubs)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[index];
    struct stub_request request = {.plan = &target->plan};
    struct stub_config config;
    struct hooks hooks;
    struct stub stub;
    struct diag diag = {0};

    if (make_hooks(track, index, &hooks) != 0) {
        refuse(target, "there is no address space for the values of its labels");
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
    configure(track, &hooks, &config);
    if (stub_write(&config, &request, *stubs, &stub, &diag) != 0) {
        refuse(target, diag.text);
        return;
    }
    set_originals(track, &hooks, &stub);
    stub_map_add(&stub_places, &target->plan, *stubs, &stub);
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
    return is_hooked(target) && target->code_object == object;
}

static void refuse_object(struct resolution *resolution, const struct object *object, const char *reason)
{
    for (size_t i = 0; i < resolution->count; i++)
        if (is_hooked_in(&resolution->targets[i], object))
            refuse(&resolution->targets[i], reason);
}

/* Memory for the stubs of all targets in one object. */
static int build_map(const struct resolution *resolution, size_t first, uint8_t **ret_stubs, size_t *ret_bytes)
{
    const struct resolve_target *targets = resolution->targets;
    struct span span;
    size_t bytes = 0;
    int result = span_find(targets[first].plan.address, &span);

    for (size_t i = first; i < resolution->count; i++)
        if (is_hooked_in(&targets[i], targets[first].code_object))
            bytes += STUB_BYTES_MAX;
    *ret_bytes = bytes;
    return result != 0 ? result : near_map(span.low, span.high, bytes, ret_stubs);
}

/* Stubs for all targets of the object that the first one is in: after this each of them has a hook, or is refused. */
static void build_object(struct track *track, size_t first)
{
    struct resolution *resolution = track->resolution;
    const struct object *object = resolution->targets[first].code_object;
    size_t patches_before = track->build->patch_count;
    size_t bytes;
    uint8_t *memory;
    uint8_t *stubs;

    if (build_map(resolution, first, &memory, &bytes) != 0) {
        refuse_object(resolution, object, "there is no free address space within reach of its object");
        return;
    }
    stubs = memory;
    for (size_t i = first; i < resolution->count; i++)
        if (is_hooked_in(&resolution->targets[i], object))
            build_stub(track, i, &stubs);
    if (mprotect(memory, bytes, PROT_READ | PROT_EXEC) != 0) {
        refuse_object(resolution, object, "new code cannot be made executable here (a security policy?)");
        track->build->patch_count = patches_before;
    }
}

/* Interface
 * ---------------------------------------------------------------------------------------------------------------------
 */

int track_prepare(struct track *track, struct diag *diag)
{
    struct resolution *resolution = track->resolution;
    int result = build_init(track);

    if (result != 0) {
        diag_set(diag, "no memory for %zu functions (%s)", resolution->count, strerror(-result));
        return result;
    }
    result = write_segment(track, diag);
    if (result != 0)
        return result;
    result = stub_map_init(&stub_places, panic_load_is_wanted(track->manifest) ? resolution->count : 0);
    if (result != 0) {
        diag_set(diag, "no memory for the places of %zu functions", resolution->count);
        return result;
    }
    for (size_t i = 0; i < resolution->count; i++)
        check_memory(&resolution->targets[i]);
    for (size_t i = 0; i < resolution->count; i++)
        if (is_hooked(&resolution->targets[i]) && !track->build->is_built[i])
            build_object(track, i);
    hook_arena_seal(&track->build->hooks);
    stub_map_seal(&stub_places);
    for (size_t i = 0; i < resolution->count; i++)
        check_alias(track, &resolution->targets[i]);
    count_failures(track);
    return 0;
}

/* True if threads exist that may be running what is patched: constructors of libraries came before ours. */
static bool has_other_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t entries = 0;

    if (!tasks)
        return true;
    while (readdir(tasks))
        entries++;
    closedir(tasks);
    return entries > 3; /* ".", ".." and this one */
}

void track_apply(struct track *track)
{
    struct resolution *resolution = track->resolution;
    struct track_build *build = track->build;

    patch_apply(build->patches, build->patch_count, has_other_threads());
    for (size_t i = 0; i < build->patch_count; i++) {
        char reason[128];

        if (build->patches[i].result == 0)
            continue;
        snprintf(reason, sizeof(reason), "its code cannot be made writable (%s; a security policy?)",
                 strerror(-build->patches[i].result));
        refuse(&resolution->targets[build->patches[i].owner], reason);
    }
    for (size_t i = 0; i < resolution->count; i++)
        check_alias(track, &resolution->targets[i]);
    count_failures(track);
    /* Each target's row in functions[] is its place here, which its hook knows: panics are counted by it. */
    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        uint32_t index = write_function(track, target);

        if (is_tracked(target))
            write_series(track, target, index);
    }
}

const struct stub_map *track_stubs(void)
{
    return &stub_places;
}

void track_finish(struct track *track)
{
    build_destroy(track->build);
    track->build = NULL;
}
