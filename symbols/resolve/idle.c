#include "symbols/resolve/idle.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/resolve/reason.h"
#include "symbols/resolve/targets.h"

/* An older version of a function that cannot be tracked, beside its default version: nobody asked for it by name. */
static bool resolve_is_idle_version(const struct resolution *resolution, size_t i, size_t *ret_default)
{
    const struct resolve_target *target = &resolution->targets[i];
    size_t other = i;

    if (target->symbol->is_default_version || target->plan.mode != PLAN_REFUSED)
        return false;
    while (other > 0 && resolution->targets[other - 1].function == target->function)
        other--;
    for (; other < resolution->count && resolution->targets[other].function == target->function; other++) {
        const struct symbol *symbol = resolution->targets[other].symbol;

        if (symbol->is_default_version && symbol->version && strcmp(symbol->name, target->symbol->name) == 0) {
            *ret_default = other;
            return true;
        }
    }
    return false;
}

/* Does the entry have the same series already? A C++ constructor has two symbols of one demangled name. */
static bool resolve_is_repeated(const struct resolution *resolution, const struct resolve_notes *notes, size_t i)
{
    size_t twin = notes[i].twin_of;

    return twin != SIZE_MAX && resolution->targets[twin].function == resolution->targets[i].function;
}

static bool resolve_is_idle(struct resolution *resolution, const struct resolve_notes *notes, size_t i)
{
    const struct resolve_target *target = &resolution->targets[i];
    size_t other;

    if (target->state != RESOLVE_FOUND)
        return false;
    if (resolve_is_repeated(resolution, notes, i))
        return true;
    if (!resolve_is_idle_version(resolution, i, &other))
        return false;
    resolve_add_reason(&resolution->targets[other], "calls to its older version %s are not counted: %s",
                       target->symbol->version ? target->symbol->version : "", target->reason);
    return true;
}

/* Nobody shares the hook of an idle one, which is repeated or refused. */
int resolve_drop_idle(struct resolution *resolution, const struct resolve_notes *notes)
{
    struct resolve_target *targets = resolution->targets;
    size_t *moved_to = bulk_calloc(resolution->count + 1, sizeof(*moved_to));
    bool *is_idle = bulk_calloc(resolution->count + 1, sizeof(*is_idle));
    int result = moved_to && is_idle ? 0 : -ENOMEM;
    size_t kept = 0;

    for (size_t i = 0; i < resolution->count && result == 0; i++)
        is_idle[i] = resolve_is_idle(resolution, notes, i);
    for (size_t i = 0; i < resolution->count && result == 0; i++) {
        if (is_idle[i]) {
            resolve_target_finish(&targets[i]);
            continue;
        }
        moved_to[i] = kept;
        targets[kept] = targets[i];
        if (targets[kept].same_as != SIZE_MAX) {
            assert(!is_idle[targets[kept].same_as]);
            targets[kept].same_as = moved_to[targets[kept].same_as];
        }
        kept++;
    }
    if (result == 0)
        resolution->count = kept;
    bulk_free(moved_to);
    bulk_free(is_idle);
    return result;
}
