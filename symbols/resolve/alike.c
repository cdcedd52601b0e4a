#include "symbols/resolve/alike.h"

#include <string.h>

#include "symbols/manifest/manifest.h"

static bool resolve_is_same_condition(const struct condition *a, const struct condition *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->tests, b->tests, a->count * sizeof(*a->tests)) == 0);
}

static bool resolve_is_same_buckets(const struct manifest_function *a, const struct manifest_function *b)
{
    return a->bucket_count == b->bucket_count &&
           (a->bucket_count == 0 || memcmp(a->buckets, b->buckets, a->bucket_count * sizeof(double)) == 0);
}

static bool resolve_has_success_time(enum manifest_kind kind)
{
    return kind == MANIFEST_KIND_WORKER || kind == MANIFEST_KIND_BATCH_JOB || kind == MANIFEST_KIND_HEALTH_CHECK;
}

/* May some of its calls go untimed? What is to recover is timed always. */
static bool resolve_is_sampled(const struct manifest *manifest, const struct manifest_function *function)
{
    return !function->has_recover && (function->sample_rate < 1 || manifest->overhead_budget < 1);
}

/* Anything that makes a function's counters other than those of a plain one. */
static bool resolve_has_extra(const struct manifest *manifest, const struct resolve_target *target)
{
    const struct manifest_function *function = &manifest->functions[target->function];

    if (function->dynamic_label_count || function->items.source != MANIFEST_SOURCE_NONE || target->value_count)
        return true;
    return target->plan.mode == PLAN_FULL &&
           (function->kind == MANIFEST_KIND_LOOP || function->error_type != MANIFEST_ERROR_TYPE_NONE ||
            resolve_has_success_time(function->kind) || resolve_is_sampled(manifest, function));
}

bool resolve_is_alike(const struct manifest *manifest, const struct resolve_target *a, const struct resolve_target *b)
{
    const struct manifest_function *first = &manifest->functions[a->function];
    const struct manifest_function *second = &manifest->functions[b->function];

    if (a->function == b->function)
        return true;
    return resolve_is_same_condition(&first->error_when, &second->error_when) &&
           resolve_is_same_condition(&first->throttled_when, &second->throttled_when) &&
           resolve_is_same_buckets(first, second) && first->has_recover == second->has_recover &&
           first->recover_value == second->recover_value && !resolve_has_extra(manifest, a) &&
           !resolve_has_extra(manifest, b);
}
