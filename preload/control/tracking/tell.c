#include "preload/control/tracking/tell.h"

#include <string.h>

#include "preload/shim.h"

static bool is_refused(const struct resolve_target *target)
{
    return target->state == RESOLVE_FOUND && target->plan.mode == PLAN_REFUSED;
}

static void report_target(const struct shim *shim, const struct resolve_target *target, enum log_level level)
{
    if (target->state == RESOLVE_MISSING)
        shim->log(level, "%s is missing: %s", target->name, target->reason);
    else if (is_refused(target))
        shim->log(level, "%s is not tracked: %s", target->name, target->reason);
    else if (target->reason[0])
        shim->log(level < LOG_LEVEL_INFO ? LOG_LEVEL_INFO : level, "%s: %s", target->name, target->reason);
}

/* The targets of one glob from `first` on: one line for all, whoever wants more looks at function_info. Returns the
 * next target. */
static size_t report_glob(const struct shim *shim, const struct manifest_function *function,
                          const struct resolution *resolution, size_t first)
{
    const struct resolve_target *targets = resolution->targets;
    size_t next = first;
    size_t refused = 0;

    for (; next < resolution->count && targets[next].function == targets[first].function; next++) {
        refused += is_refused(&targets[next]);
        report_target(shim, &targets[next], targets[next].state == RESOLVE_MISSING ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG);
    }
    if (refused > 0 && !function->is_optional)
        shim->log(LOG_LEVEL_WARN,
                  "%zu of the %zu functions that match %s are not tracked: see function_info, or callmeter check",
                  refused, next - first, function->symbol ? function->symbol : function->build_id);
    return next;
}

/* True if one line can tell of both: they are refused for the same reason. */
static bool is_refused_alike(const struct manifest *manifest, const struct resolve_target *a,
                             const struct resolve_target *b)
{
    const struct manifest_function *first = &manifest->functions[a->function];
    const struct manifest_function *second = &manifest->functions[b->function];

    return is_refused(a) && is_refused(b) && !second->is_glob && first->is_optional == second->is_optional &&
           strcmp(a->reason, b->reason) == 0;
}

/* The target of an exact name, and those behind it that are refused for the same reason: a security policy may refuse
 * them all. Returns the next target. */
static size_t report_exact(const struct shim *shim, const struct manifest *manifest,
                           const struct resolution *resolution, size_t first)
{
    const struct resolve_target *targets = resolution->targets;
    const struct manifest_function *function = &manifest->functions[targets[first].function];
    enum log_level level = function->is_optional ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
    size_t next = first + 1;

    while (next < resolution->count && is_refused_alike(manifest, &targets[first], &targets[next]))
        next++;
    if (next == first + 1)
        report_target(shim, &targets[first], level);
    else
        shim->log(level, "%s and %zu more are not tracked: %s", targets[first].name, next - first - 1,
                  targets[first].reason);
    return next;
}

void tell_resolution(const struct shim *shim, const struct manifest *manifest, const struct resolution *resolution,
                     const bool *is_told)
{
    size_t i = 0;

    while (i < resolution->count) {
        size_t entry = resolution->targets[i].function;
        const struct manifest_function *function = &manifest->functions[entry];

        if (is_told && is_told[entry]) {
            i++;
        } else {
            i = function->is_glob ? report_glob(shim, function, resolution, i)
                                  : report_exact(shim, manifest, resolution, i);
        }
    }
}
