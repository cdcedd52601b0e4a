#include "symbols/resolve/target_values.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/proof.h"
#include "symbols/resolve/reason.h"
#include "symbols/resolve/targets.h"

/* What came of opening an object's debug information. */
struct resolve_debuginfo {
    const struct object *object;
    struct debuginfo *debuginfo; /* NULL: result and diag say why */
    int result;
    struct diag diag;
    bool is_judged; /* what follows is set */
    bool is_all_gnu;
};

/* Opened once an object, whatever comes of it; but what was too large for one question may do for the next. NULL: out
 * of memory. */
static struct resolve_debuginfo *resolve_debuginfo_of(struct resolve_values *values, const struct object *object,
                                                      size_t bytes_max)
{
    struct resolve_debuginfo *opened;
    size_t i = 0;

    while (i < values->count && values->opened[i].object != object)
        i++;
    if (i == values->count) {
        opened = reallocarray(values->opened, values->count + 1, sizeof(*opened));
        if (!opened)
            return NULL;
        values->opened = opened;
        values->count++;
        opened[i] = (struct resolve_debuginfo){.object = object, .result = -EFBIG};
    }
    opened = &values->opened[i];
    if (opened->result == -EFBIG)
        opened->result = debuginfo_open(object, bytes_max, &opened->debuginfo, &opened->diag);
    return opened;
}

void resolve_values_finish(struct resolve_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        debuginfo_close(values->opened[i].debuginfo);
    free(values->opened);
    values->opened = NULL;
    values->count = 0;
}

/* What proves the values of a target: debug information is opened where some are asked for. */
static int resolve_begin_proof(struct resolve_values *values, const struct resolve_target *target, struct proof *proof)
{
    struct resolve_debuginfo *opened = resolve_debuginfo_of(values, target->code_object, DEBUGINFO_ANY_SIZE);

    if (!opened)
        return -ENOMEM;
    if (!opened->is_judged)
        opened->is_all_gnu = opened->result < 0 || debuginfo_is_all_gnu(opened->debuginfo);
    opened->is_judged = true;
    return proof_init(proof, &values->manifest->functions[target->function], target,
                      opened->result < 0 ? NULL : opened->debuginfo, &opened->diag, opened->is_all_gnu);
}

static int resolve_locate_value(const struct proof *proof, const struct resolve_target *target, size_t position,
                                const struct manifest_value *value, struct diag *diag)
{
    int result;

    if (value->source != MANIFEST_SOURCE_RET)
        return proof_argument(proof, value, &target->values[position], &target->proofs[position], diag);
    if (target->plan.mode == PLAN_COUNT)
        return diag_refuse(diag, -ENOTSUP, "the result is not known where calls are only counted");
    result = resolve_locate_numbered(value, proof->function->returns, &target->values[position], diag);
    if (result < 0)
        return result;
    return proof_result(proof, (enum value_type)target->values[position].type, &target->proofs[position], diag);
}

/* Is there more to be proven of the result than the values that are read? */
static bool resolve_asks_result(const struct manifest_function *function)
{
    return condition_asks_result(&function->error_when) || condition_asks_result(&function->throttled_when) ||
           function->error_type == MANIFEST_ERROR_TYPE_RET || function->has_recover;
}

static bool resolve_is_void(const struct proof *proof)
{
    return proof->function->returns == VALUE_VOID && (!proof->is_described || proof->described.is_void);
}

/* What judges a call by its result, or puts something in its place. */
static int resolve_prove_result(const struct proof *proof, struct resolve_target *target, struct diag *diag)
{
    const struct manifest_function *function = proof->function;
    int result;

    if (!resolve_asks_result(function) || target->plan.mode != PLAN_FULL || resolve_is_void(proof))
        return 0;
    result = proof_result(proof, function->returns, &target->result_proof, diag);
    if (result < 0)
        diag_wrap(diag, "%s",
                  condition_asks_result(&function->error_when)       ? "error_when"
                  : condition_asks_result(&function->throttled_when) ? "throttled_when"
                  : function->has_recover                            ? "recover"
                                                                     : "error_type");
    return result;
}

/* The gauges that calls of a function feed; walks all of them. */
struct resolve_gauges {
    const struct manifest *manifest;
    size_t function;
    size_t next; /* two for each resource */
};

static const struct manifest_value *resolve_next_gauge(struct resolve_gauges *gauges)
{
    while (gauges->next < 2 * gauges->manifest->resource_count) {
        const struct manifest_resource *resource = &gauges->manifest->resources[gauges->next / 2];
        const struct manifest_gauge *gauge = gauges->next % 2 ? &resource->limit : &resource->in_use;

        gauges->next++;
        if (gauge->source == MANIFEST_GAUGE_CALL && gauge->function == gauges->function)
            return &gauge->value;
    }
    return NULL;
}

static size_t resolve_count_values(const struct manifest *manifest, size_t function)
{
    struct resolve_gauges gauges = {.manifest = manifest, .function = function};
    size_t count = manifest->functions[function].dynamic_label_count;

    count += manifest->functions[function].items.source != MANIFEST_SOURCE_NONE;
    while (resolve_next_gauge(&gauges))
        count++;
    return count;
}

static bool resolve_is_integer(const struct value_location *location)
{
    return !value_type_is_floating((enum value_type)location->type) && location->type != VALUE_CSTRING;
}

/* Those that the target cannot do without. */
static int resolve_locate_required(const struct proof *proof, struct resolve_target *target, size_t *used,
                                   struct diag *diag)
{
    const struct manifest_function *function = proof->function;
    int result = 0;

    for (size_t i = 0; i < function->dynamic_label_count && result == 0; i++) {
        const struct manifest_dynamic_label *label = &function->dynamic_labels[i];

        result = resolve_locate_value(proof, target, (*used)++, &label->value, diag);
        if (result < 0)
            diag_wrap(diag, "label \"%s\"", label->name);
    }
    if (result == 0 && function->items.source != MANIFEST_SOURCE_NONE) {
        result = resolve_locate_value(proof, target, *used, &function->items, diag);
        if (result == 0 && !resolve_is_integer(&target->values[(*used)++])) {
            diag_set(diag, "parameter \"%s\" is no integer", function->items.param ? function->items.param : "");
            result = -EINVAL;
        }
        if (result < 0)
            diag_wrap(diag, "items");
    }
    return result;
}

static void resolve_refuse_values(struct resolve_target *target, const struct diag *diag)
{
    resolve_target_forget_values(target);
    memset(&target->plan, 0, sizeof(target->plan));
    target->plan.mode = PLAN_REFUSED;
    target->reason[0] = '\0';
    resolve_add_reason(target, "%s", diag->text);
}

/* A gauge that cannot be read is left out; the function is tracked all the same. */
static int resolve_locate_gauges(struct resolve_values *values, const struct proof *proof,
                                 struct resolve_target *target, size_t used)
{
    struct resolve_gauges gauges = {.manifest = values->manifest, .function = target->function};
    const struct manifest_value *value;

    while ((value = resolve_next_gauge(&gauges))) {
        struct diag diag = {0};
        int result = resolve_locate_value(proof, target, used, value, &diag);

        if (result == -ENOMEM)
            return result;
        if (result == 0 && target->values[used].type == VALUE_CSTRING)
            diag_set(&diag, "a gauge is no string");
        if (diag.text[0]) {
            target->values[used] = (struct value_location){.type = VALUE_VOID};
            target->proofs[used] = RESOLVE_PROOF_NONE;
            resolve_add_reason(target, "resource \"%s\": %s", values->manifest->resources[(gauges.next - 1) / 2].name,
                               diag.text);
        }
        used++;
    }
    assert(used == target->value_count);
    return 0;
}

int resolve_locate_values(struct resolve_values *values, struct resolve_target *target)
{
    const struct manifest_function *function = &values->manifest->functions[target->function];
    size_t count = resolve_count_values(values->manifest, target->function);
    size_t used = 0;
    struct diag diag = {0};
    struct proof proof;
    int result;

    if (count == 0 && !resolve_asks_result(function))
        return 0;
    target->values = calloc(count + 1, sizeof(*target->values));
    target->proofs = calloc(count + 1, sizeof(*target->proofs));
    if (!target->values || !target->proofs || resolve_begin_proof(values, target, &proof) < 0)
        return -ENOMEM;
    result = resolve_locate_required(&proof, target, &used, &diag);
    if (result == 0)
        result = resolve_prove_result(&proof, target, &diag);
    if (result == 0) {
        target->value_count = count;
        return resolve_locate_gauges(values, &proof, target, used);
    }
    resolve_refuse_values(target, &diag);
    return result == -ENOMEM ? result : 0;
}

/* Does a note on inlined copies make sense? Globs are left out: they may match thousands. */
static bool resolve_wants_inlined(const struct resolve_values *values, const struct resolve_target *target,
                                  const struct object *object)
{
    return target->state == RESOLVE_FOUND && target->plan.mode != PLAN_REFUSED && target->code_object == object &&
           target->same_as == SIZE_MAX && !values->manifest->functions[target->function].is_glob;
}

static int resolve_note_inlined_in(struct resolve_values *values, size_t bytes_max, struct resolution *resolution,
                                   const struct object *object)
{
    struct debuginfo_inlined *functions;
    const struct resolve_debuginfo *opened = resolve_debuginfo_of(values, object, bytes_max);
    size_t count = 0;
    int result;

    if (!opened || opened->result < 0)
        return opened ? 0 : -ENOMEM;
    functions = calloc(resolution->count, sizeof(*functions));
    if (!functions)
        return -ENOMEM;
    for (size_t i = 0; i < resolution->count; i++) {
        if (resolve_wants_inlined(values, &resolution->targets[i], object))
            functions[count++].address = resolution->targets[i].address;
    }
    result = debuginfo_count_inlined(opened->debuginfo, bytes_max, functions, count);
    count = 0;
    for (size_t i = 0; i < resolution->count && result == 0; i++) {
        struct resolve_target *target = &resolution->targets[i];
        size_t places;

        if (!resolve_wants_inlined(values, target, object))
            continue;
        places = functions[count++].places;
        if (places > 0)
            resolve_add_reason(target, "inlined at %zu %s, which %s not counted", places,
                               places == 1 ? "place" : "places", places == 1 ? "is" : "are");
    }
    free(functions);
    return result;
}

int resolve_note_inlined(struct resolve_values *values, size_t bytes_max, struct resolution *resolution)
{
    int result = 0;

    for (size_t i = 0; i < resolution->count && bytes_max > 0 && result == 0; i++) {
        const struct object *object = resolution->targets[i].code_object;
        size_t first = 0;

        if (!object || !resolve_wants_inlined(values, &resolution->targets[i], object))
            continue;
        while (!resolve_wants_inlined(values, &resolution->targets[first], object))
            first++;
        if (first == i)
            result = resolve_note_inlined_in(values, bytes_max, resolution, object);
    }
    return result;
}
