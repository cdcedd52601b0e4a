/* What `callmeter check` warns of. */
#include "preload/cli/warnings.h"

#include <stdbool.h>
#include <stddef.h>

#include "preload/cli/say.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

/* Takes one warning; `function` may be NULL. */
typedef void (*warnings_take)(void *context, const char *function, const char *text);

/* What whoever writes `recover` has to know of it, for each function that may be left in the middle. */
static void warnings_of_recover(const struct resolve_target *target, warnings_take take, void *context)
{
    take(context, target->name,
         "recover leaves what the abandoned calls were doing as it is: locks stay held, memory and files are not given "
         "back, and data may be half changed");
    if (target->plan.mode == PLAN_COUNT)
        take(context, target->name, "recover has no effect here: the function's calls are only counted");
}

static void warnings_of_panics(const struct manifest *manifest, warnings_take take, void *context)
{
    if (manifest->panics.signal_count == 0)
        take(context, NULL, "recover has no effect: panics.signals is empty, so no signal is caught");
    else if (manifest->panics.max_recoveries == 0)
        take(context, NULL, "recover has no effect: panics.max_recoveries is 0");
}

static void warnings_list(const struct manifest *manifest, const struct resolution *resolution, warnings_take take,
                          void *context)
{
    bool has_recover = false;

    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];

        if (!manifest->functions[target->function].has_recover || target->state != RESOLVE_FOUND ||
            target->plan.mode == PLAN_REFUSED)
            continue;
        has_recover = true;
        warnings_of_recover(target, take, context);
    }
    if (has_recover)
        warnings_of_panics(manifest, take, context);
}

static void warnings_take_line(void *context, const char *function, const char *text)
{
    (void)context;
    if (function)
        say_error("warning: %s: %s", function, text);
    else
        say_error("warning: %s", text);
}

static void warnings_take_object(void *context, const char *function, const char *text)
{
    json_array_append_new(context, json_pack("{s:s?, s:s}", "function", function, "text", text));
}

void warnings_print(const struct manifest *manifest, const struct resolution *resolution)
{
    warnings_list(manifest, resolution, warnings_take_line, NULL);
}

json_t *warnings_to_json(const struct manifest *manifest, const struct resolution *resolution)
{
    json_t *result = json_array();

    if (result)
        warnings_list(manifest, resolution, warnings_take_object, result);
    return result;
}
