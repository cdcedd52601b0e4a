#include "preload/callmeter/track.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/callmeter/hooks.h"
#include "preload/callmeter/near.h"
#include "preload/callmeter/patch.h"
#include "preload/callmeter/span.h"
#include "preload/callmeter/stub.h"
#include "preload/callmeter/writer.h"
#include "preload/shim.h"
#include "symbols/diag.h"

enum {
    TEXT_ROOM = 65536
};

static const struct manifest_function *function_of(const struct track *track, const struct resolve_target *target)
{
    return &track->manifest->functions[target->function];
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

/* Two names of one place share its counters, so they must ask the same of it. */
static void check_alias(struct track *track, struct resolve_target *target)
{
    const struct resolve_target *first;
    const struct manifest_function *function = function_of(track, target);

    if (!is_tracked(target) || target->same_as == SIZE_MAX)
        return;
    first = &track->resolution->targets[target->same_as];
    if (!is_tracked(first))
        refuse(target, first->reason);
    else if (!is_same_condition(&function->error_when, &function_of(track, first)->error_when) ||
             !is_same_condition(&function->throttled_when, &function_of(track, first)->throttled_when) ||
             !is_same_buckets(function, function_of(track, first)))
        refuse(target, "another entry tracks the same code with other conditions or buckets");
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

static struct writer_size size_of(const struct track *track)
{
    uint32_t count = (uint32_t)track->resolution->count;
    struct writer_size size = {.functions = count, .series = count, .text_bytes = TEXT_ROOM};

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        const struct manifest_function *function = function_of(track, target);

        size.cell_bytes += segment_cell_bytes((uint32_t)function->bucket_count);
        size.text_bytes += strlen(target->name) + strlen(function->symbol) + 2 * sizeof(target->reason) + 64;
        size.text_bytes += labels_bytes(function->labels, function->label_count);
        size.text_bytes += labels_bytes(track->manifest->labels, track->manifest->label_count);
        size.text_bytes += function->bucket_count * sizeof(double);
        if (target->object)
            size.text_bytes += strlen(target->object->base_name) + strlen(target->symbol->name) + 16;
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
    const char *symbol = function->is_glob && target->symbol ? target->symbol->name : function->symbol;
    struct segment_function entry = {
        .name = writer_text(segment, target->name),
        .module = target->object ? writer_text(segment, target->object->base_name) : segment->text,
        .symbol = writer_text(segment, symbol),
        .reason = writer_text(segment, target->reason),
        .state = state_of(target),
        .is_optional = function->is_optional,
    };

    return writer_add_function(segment, &entry);
}

static void write_series(const struct track *track, const struct resolve_target *target, uint32_t function_index,
                         uint64_t cell)
{
    struct segment_header *segment = track->segment;
    const struct manifest_function *function = function_of(track, target);
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
    };

    writer_add_series(segment, &entry);
}

static int write_segment(struct track *track, struct diag *diag)
{
    const struct manifest *manifest = track->manifest;
    struct writer_size size = size_of(track);
    int result = writer_create(&size, track->clock->seconds_per_tick, &track->segment);

    if (result != 0) {
        diag_set(diag, "no address space for the counters (%s)", strerror(-result));
        return result;
    }
    track->segment->namespace_ = writer_text(track->segment, manifest->namespace_);
    track->segment->constant_labels = write_labels(track->segment, manifest->labels, manifest->label_count, NULL, 0);
    return 0;
}

/* Stubs
 * -------------------------------------------------------------------------------------------------------------------------
 */

/* What is under way while hooks and stubs are made for the targets of one object after the other. */
struct track_build {
    struct stub_config config;
    struct hook_arena hooks;
    uint64_t *cells;       /* by target */
    struct hook **hook_of; /* by target; NULL: none was made */
    struct patch *patches;
    size_t patch_count;
};

/* Gives each target a cell, aliases the one of what they are an alias of. Returns the bytes of all hooks. */
static size_t assign_cells(const struct track *track, uint64_t *cells)
{
    size_t bytes = 0;
    uint64_t next = 0;

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        const struct manifest_function *function = function_of(track, target);

        if (target->same_as != SIZE_MAX) {
            cells[i] = cells[target->same_as];
            continue;
        }
        cells[i] = next;
        next += segment_cell_bytes((uint32_t)function->bucket_count);
        if (is_hooked(target))
            bytes += hook_bytes(function);
    }
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
    build->config = (struct stub_config){
        .entry = track->clock->is_tsc ? shim->trampoline_tsc.entry : shim->trampoline_clock.entry,
        .count_slow = shim->count_slow,
        .thread_offset = shim->thread_offset,
    };
    build->cells = calloc(count, sizeof(*build->cells));
    build->hook_of = calloc(count, sizeof(struct hook *));
    build->patches = calloc(count, sizeof(*build->patches));
    if (!build->cells || !build->hook_of || !build->patches)
        return -ENOMEM;
    return hook_arena_init(&build->hooks, assign_cells(track, build->cells));
}

static void build_destroy(struct track_build *build)
{
    if (!build)
        return;
    free(build->cells);
    free(build->hook_of);
    free(build->patches);
    free(build);
}

/* Writes the stub of one target to *stubs, and moves that on. */
static void build_stub(struct track *track, size_t index, uint8_t **stubs)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[index];
    struct hook *hook =
        hook_create(&build->hooks, function_of(track, target), track->clock, build->cells[index], (uint32_t)index);
    struct stub stub;
    struct diag diag = {0};

    if (stub_write(&build->config, &target->plan, hook, *stubs, &stub, &diag) != 0) {
        refuse(target, diag.text);
        return;
    }
    build->hook_of[index] = hook;
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
    for (size_t i = 0; i < resolution->count; i++)
        check_memory(&resolution->targets[i]);
    for (size_t i = 0; i < resolution->count; i++)
        if (is_hooked(&resolution->targets[i]) && !track->build->hook_of[i])
            build_object(track, i);
    hook_arena_seal(&track->build->hooks);
    for (size_t i = 0; i < resolution->count; i++)
        check_alias(track, &resolution->targets[i]);
    count_failures(track);
    return write_segment(track, diag);
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
    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        uint32_t index = write_function(track, target);

        if (is_tracked(target))
            write_series(track, target, index, build->cells[i]);
    }
}

void track_finish(struct track *track)
{
    build_destroy(track->build);
    track->build = NULL;
}
