#include "symbols/resolve/plan_targets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/common/hash.h"
#include "symbols/elf/lookup.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/alike.h"
#include "symbols/resolve/reason.h"
#include "symbols/resolve/target_values.h"
#include "symbols/resolve/targets.h"

/* Keeps the answer that allows less. */
static void resolve_plan_restrict(struct patch_plan *plan, const struct patch_plan *other)
{
    if (other->mode < plan->mode)
        *plan = *other;
}

static int resolve_plan_cold(const struct resolve_target *target, struct lookup *lookup, struct plan_request *request,
                             struct patch_plan *plan)
{
    struct lookup_result cold = {0};
    int result = lookup_cold(lookup, target->symbol, &cold);

    for (size_t i = 0; i < cold.count && result == 0; i++) {
        const struct symbol *part = &target->object->symbols[cold.positions[i]];
        struct patch_plan other;
        size_t bytes = 0;

        request->cold = object_code(target->object, part->address, &bytes);
        request->cold_bytes = part->size < bytes ? part->size : bytes;
        request->cold_address = part->address + target->object->load_bias;
        plan_function(request, &other);
        resolve_plan_restrict(plan, &other);
    }
    lookup_result_finish(&cold);
    return result;
}

/* Asks for every name that the address has: the planner knows some functions by name, and an alias is the same code. A
 * name that has more than one `.cold` part (static functions of several files) is held to all of them. */
static int resolve_plan_code(const struct resolve_target *target, struct lookup *lookup, bool has_shadow_stack,
                             struct patch_plan *plan)
{
    const struct object *object = target->object;
    const struct symbol *end = object->symbols + object->symbol_count;
    const struct symbol *alias = object_symbol_at(object, target->address);
    size_t room = object_room(object, target->address);
    size_t available = 0;
    size_t size;
    struct plan_request request = {
        .symbol = target->symbol->name, .is_haskell = object->is_haskell, .has_shadow_stack = has_shadow_stack};

    request.code = object_code(object, target->address, &available);
    size = target->size < available ? (size_t)target->size : available;
    request.code_bytes = size > room ? size : room;
    request.next_symbol = room < request.code_bytes ? room : 0;
    request.function_bytes = size;
    request.address = target->address + object->load_bias;
    if (object_plan(object, &request.object) < 0)
        return -ENOMEM;
    plan_function(&request, plan);
    for (; alias && alias < end && alias->address == target->address; alias++) {
        struct patch_plan other;

        if (strcmp(alias->name, target->symbol->name) == 0)
            continue;
        request.symbol = alias->name;
        plan_function(&request, &other);
        resolve_plan_restrict(plan, &other);
    }
    request.symbol = target->symbol->name;
    return resolve_plan_cold(target, lookup, &request, plan);
}

static void resolve_plan_refuse(struct patch_plan *plan, enum plan_reason reason)
{
    memset(plan, 0, sizeof(*plan));
    plan->mode = PLAN_REFUSED;
    plan->reason = reason;
}

/* A label of assembly (it has no size) that lies within a function: control falls into it, with anything on the stack.
 */
static bool resolve_plan_is_label(const struct resolve_target *target)
{
    const struct object *object = target->object;
    const struct symbol *symbol = object_symbol_at(object, target->address);

    for (; symbol && symbol < object->symbols + object->symbol_count && symbol->address == target->address; symbol++)
        if (symbol->size)
            return false;
    symbol = object_symbol_at(object, target->address);
    while (symbol && symbol > object->symbols && !symbol[-1].size)
        symbol--;
    return symbol && symbol > object->symbols && target->address - symbol[-1].address < symbol[-1].size;
}

/* Reasons that the planner cannot see from the code. */
static const char *resolve_plan_forbidden(const struct resolve_target *target)
{
    size_t length;

    if (target->object->limit == PLAN_REFUSED)
        return target->object->limit_reason;
    if (target->object->is_loader)
        return "it belongs to the dynamic loader, in which nothing is tracked";
    if (name_split_clone(target->symbol->name, &length) == NAME_CLONE_COLD)
        return "it is a part of a function that is jumped to, not called";
    if (resolve_plan_is_label(target))
        return "it is a label inside of another function";
    return NULL;
}

/* What the object's runtime, or another one in the process, leaves of a plan. */
static void resolve_plan_limit(struct resolve_target *target)
{
    if (target->plan.mode <= target->object->limit)
        return;
    target->plan.mode = target->object->limit;
    resolve_add_reason(target, "%s", target->object->limit_reason);
}

static int resolve_plan_one(struct resolve_target *target, const struct resolve_notes *notes, bool has_shadow_stack)
{
    const char *forbidden = resolve_plan_forbidden(target);
    int result;

    if (forbidden) {
        resolve_plan_refuse(&target->plan, PLAN_REASON_SPECIAL_ABI);
        resolve_add_reason(target, "%s", forbidden);
        return 0;
    }
    if (notes->is_unplanned)
        return 0;
    result = resolve_plan_code(target, notes->lookup, has_shadow_stack, &target->plan);
    resolve_plan_limit(target);
    return result;
}

/* What the targets at one address share; kept with the first of them. */
struct resolve_shared {
    size_t first;    /* index of the first target at the address; kept with every one */
    size_t hook;     /* index of the one that has the hook, or SIZE_MAX */
    bool is_timed;   /* somebody wants more than a count */
    bool is_planned; /* by the planner, which did not refuse it */
    const struct object *object;
    struct patch_plan plan;
    char reason[sizeof(((struct resolve_target *)NULL)->reason)];
};

static int resolve_share_places(const struct manifest *manifest, const struct resolve_target *targets,
                                const struct resolve_notes *notes, size_t count, struct resolve_shared *shared)
{
    struct hash hash;

    if (hash_init(&hash, count) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = hash_bytes(&targets[i].address, sizeof(targets[i].address));
        uint32_t other;

        shared[i].first = i;
        shared[i].hook = SIZE_MAX;
        if (targets[i].state != RESOLVE_FOUND || notes[i].twin_of != SIZE_MAX)
            continue;
        for (other = hash_first(&hash, key); other != HASH_END; other = hash_next(&hash, other)) {
            if (targets[other].object == targets[i].object && targets[other].address == targets[i].address)
                break;
        }
        if (other != HASH_END)
            shared[i].first = other;
        else
            hash_add(&hash, key, (uint32_t)i);
        shared[shared[i].first].is_timed |= manifest->functions[targets[i].function].mode != MANIFEST_MODE_COUNT;
    }
    hash_finish(&hash);
    return 0;
}

/* What one target gets of the place's plan, by the mode that its entry asks for. */
static void resolve_apply_mode(enum manifest_mode mode, bool is_timed, struct resolve_target *target)
{
    if (mode == MANIFEST_MODE_FULL && target->plan.mode == PLAN_COUNT) {
        enum plan_reason reason = target->plan.reason;

        resolve_plan_refuse(&target->plan, reason);
        resolve_add_reason(target, "its calls can only be counted, and the manifest says \"full\"");
    } else if (mode == MANIFEST_MODE_COUNT && target->plan.mode == PLAN_FULL && !is_timed) {
        target->plan.mode = PLAN_COUNT;
    } else if (mode == MANIFEST_MODE_COUNT && target->plan.mode == PLAN_FULL) {
        resolve_add_reason(target, "timed, since another entry asks for it at the same address");
    }
}

/* Mentions clones that take calls away from the function. */
static void resolve_note_clones(struct resolve_target *target, const struct lookup *lookup)
{
    size_t length;
    enum name_clone clone = name_split_clone(target->symbol->name, &length);
    uint32_t position;
    const char *other;
    size_t base;

    if (clone == NAME_CLONE_WHOLE) {
        resolve_add_reason(target, "it exists only as %s, whose arguments may differ", target->symbol->name);
        return;
    }
    if (clone != NAME_CLONE_NONE)
        return;
    position = lookup_clone_beside(lookup, target->symbol);
    if (position == HASH_END)
        return;
    other = target->object->symbols[position].name;
    target->is_partial = name_split_clone(other, &base) == NAME_CLONE_PART;
    if (target->is_partial)
        resolve_add_reason(target, "calls that were inlined and go on to %s are not counted", other);
    else
        resolve_add_reason(target, "calls to its clone %s are not counted", other);
}

/* A function whose body was split off, where others go to the body directly. It may have been told by the body's name.
 */
static void resolve_note_body(struct resolve_target *target)
{
    const struct patch_plan *plan = &target->plan;

    if (!plan->body_callers || target->is_partial)
        return;
    target->is_partial = true;
    resolve_add_reason(target,
                       "it only tests and jumps to its body at 0x%" PRIx64 ", where %" PRIu32
                       " other places of the object go directly: those calls are not counted",
                       plan->body - target->object->load_bias, plan->body_callers);
}

static void resolve_note_twin(const struct manifest *manifest, const struct resolve_target *targets, size_t twin,
                              struct resolve_target *target)
{
    resolve_plan_refuse(&target->plan, PLAN_REASON_NONE);
    resolve_add_reason(target, "line %d of the manifest counts it already, with the same name and labels",
                       manifest->functions[targets[twin].function].line);
}

/* It has no values then, as one that is refused for another reason. */
static void resolve_note_unlike(const struct manifest *manifest, const struct resolve_target *first,
                                struct resolve_target *target)
{
    resolve_target_forget_values(target);
    resolve_plan_refuse(&target->plan, PLAN_REASON_NONE);
    target->reason[0] = '\0';
    resolve_add_reason(target, "another entry, in line %d of the manifest, tracks the same code with other settings",
                       manifest->functions[first->function].line);
}

/* Gives target i its share of what the first at its address was found to be. */
static int resolve_settle_target(const struct manifest *manifest, struct resolve_values *values,
                                 const struct resolve_notes *notes, size_t i, struct resolve_shared *shared,
                                 struct resolve_target *targets)
{
    struct resolve_target *target = &targets[i];
    int result = 0;

    target->plan = shared->plan;
    memcpy(target->reason, shared->reason, sizeof(target->reason));
    resolve_apply_mode(manifest->functions[target->function].mode, shared->is_timed, target);
    if (target->plan.mode != PLAN_REFUSED && !notes->is_unplanned)
        result = resolve_locate_values(values, target);
    if (result < 0 || target->plan.mode == PLAN_REFUSED)
        return result;
    if (shared->hook != SIZE_MAX && !resolve_is_alike(manifest, &targets[shared->hook], target)) {
        resolve_note_unlike(manifest, &targets[shared->hook], target);
        return 0;
    }
    if (shared->hook == SIZE_MAX)
        shared->hook = i;
    else
        target->same_as = shared->hook;
    resolve_note_clones(target, notes->lookup);
    resolve_note_body(target);
    return 0;
}

static int resolve_plan_firsts(const struct resolve_options *options, struct resolve_target *targets,
                               const struct resolve_notes *notes, size_t count, struct resolve_shared *shared)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        if (targets[i].state != RESOLVE_FOUND || notes[i].twin_of != SIZE_MAX || shared[i].first != i)
            continue;
        result = resolve_plan_one(&targets[i], &notes[i], options->has_shadow_stack);
        shared[i].plan = targets[i].plan;
        shared[i].object = targets[i].object;
        shared[i].is_planned = !notes[i].is_unplanned && targets[i].plan.mode != PLAN_REFUSED;
    }
    return result;
}

/* Holds the `count` plans of one object against all its code and data. */
static int resolve_check_object(const struct object *object, struct patch_plan **plans, size_t count)
{
    const struct plan_object *known;
    uint64_t address;
    size_t bytes;
    const uint8_t *code;
    int result = object_plan(object, &known);

    for (size_t n = 0; result == 0 && (code = object_section(object, n, &address, &bytes)); n++)
        plan_check_branches(plans, count, code, bytes, address + object->load_bias, known->is_fixed);
    if (result == 0)
        plan_check_pointers(plans, count, known);
    return result;
}

/* Refuses what is branched into from other functions, object by object. */
static int resolve_check_branches(struct resolve_shared *shared, size_t count)
{
    struct patch_plan **plans = bulk_calloc(count + 1, sizeof(*plans));
    bool *is_done = bulk_calloc(count + 1, sizeof(*is_done));
    int result = plans && is_done ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && result == 0; i++) {
        size_t used = 0;

        if (!shared[i].is_planned || is_done[i])
            continue;
        for (size_t j = i; j < count; j++) {
            if (shared[j].is_planned && shared[j].object == shared[i].object) {
                plans[used++] = &shared[j].plan;
                is_done[j] = true;
            }
        }
        result = resolve_check_object(shared[i].object, plans, used);
    }
    bulk_free(plans);
    bulk_free(is_done);
    return result;
}

/* Hands each target its part: of those at one address the first comes first. */
static int resolve_settle(const struct manifest *manifest, struct resolve_values *values,
                          struct resolve_target *targets, const struct resolve_notes *notes, size_t count,
                          struct resolve_shared *shared)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        struct resolve_shared *own = &shared[shared[i].first];

        if (targets[i].state != RESOLVE_FOUND)
            continue;
        if (notes[i].twin_of != SIZE_MAX) {
            resolve_note_twin(manifest, targets, notes[i].twin_of, &targets[i]);
            continue;
        }
        if (shared[i].first == i) {
            if (own->plan.reason != PLAN_REASON_NONE && targets[i].reason[0] == '\0')
                resolve_add_reason(&targets[i], "%s", plan_reason_text(own->plan.reason));
            memcpy(own->reason, targets[i].reason, sizeof(own->reason));
        }
        result = resolve_settle_target(manifest, values, &notes[i], i, own, targets);
    }
    return result;
}

int resolve_plan_targets(const struct manifest *manifest, const struct resolve_options *options,
                         struct resolve_values *values, struct resolve_target *targets,
                         const struct resolve_notes *notes, size_t count)
{
    struct resolve_shared *shared = bulk_calloc(count + 1, sizeof(*shared));
    int result = shared ? resolve_share_places(manifest, targets, notes, count, shared) : -ENOMEM;

    if (result == 0)
        result = resolve_plan_firsts(options, targets, notes, count, shared);
    if (result == 0)
        result = resolve_check_branches(shared, count);
    if (result == 0)
        result = resolve_settle(manifest, values, targets, notes, count, shared);
    bulk_free(shared);
    return result;
}
