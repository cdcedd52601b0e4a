#include "preload/control/tracking/track_fallback.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/imports/imports.h"
#include "preload/control/tracking/track_build.h"

enum {
    REASON_BYTES = 128
};

static size_t count_failed(const struct patch *patches, size_t count)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++)
        failed += patches[i].result != 0;
    return failed;
}

/* Behind what the reason says already. */
static void __attribute__((format(printf, 2, 3))) add_reason(struct resolve_target *target, const char *format, ...)
{
    size_t used = strlen(target->reason);
    va_list arguments;

    if (used > 0 && used + 2 < sizeof(target->reason)) {
        memcpy(target->reason + used, "; ", 3);
        used += 2;
    }
    va_start(arguments, format);
    vsnprintf(target->reason + used, sizeof(target->reason) - used, format, arguments);
    va_end(arguments);
}

/* `guess` is what may be behind an error of mprotect. */
static void explain(int error, const char *guess, char text[REASON_BYTES])
{
    if (patch_is_refused_live(error))
        patch_explain(error, text, REASON_BYTES);
    else
        snprintf(text, REASON_BYTES, "its text cannot be written (%s%s)", strerror(-error), guess);
}

static void refuse(struct resolve_target *target, int error, const struct import *import)
{
    const char *why = !import          ? "the imports of other objects are only changed when the program starts"
                      : import->taken  ? "the objects that import it also take its address there"
                      : import->denied ? "nor can the imports of other objects be"
                                       : "no other object imports it";
    char text[REASON_BYTES];

    explain(error, ": a security policy?", text);
    target->plan.mode = PLAN_REFUSED;
    target->reason[0] = '\0';
    add_reason(target, "%s, and %s", text, why);
}

static void settle(struct resolve_target *target, int error, const struct import *import)
{
    char text[REASON_BYTES];

    if (!import || import->objects == 0) {
        refuse(target, error, import);
        return;
    }
    explain(error, "", text);
    add_reason(target,
               "%s, so its calls are seen at the imports of %zu %s: not those through "
               "pointers, from within its own object past the PLT, or from libraries loaded later",
               text, import->objects, import->objects == 1 ? "object" : "objects");
    if (import->taken + import->denied > 0)
        add_reason(target, "nor those of %zu that also take its address there or are protected",
                   import->taken + import->denied);
}

/* One line for all: the reasons are in function_info. */
static void log_summary(const struct track *track, const struct patch *patches, const struct import *imports,
                        size_t count)
{
    size_t seen = 0;

    for (size_t i = 0; i < count; i++)
        seen += imports[i].objects > 0;
    if (count > 0 && patch_is_refused_live(patches[imports[0].owner].result))
        track->shim->log(LOG_LEVEL_WARN,
                         "%zu functions cannot be patched while threads are running: the calls of %zu are seen at the "
                         "imports of other objects, %zu are not tracked",
                         count, seen, count - seen);
    else if (count > 0)
        track->shim->log(LOG_LEVEL_WARN,
                         "the text of %zu functions cannot be written (%s): the calls of %zu are seen at the imports "
                         "of other objects, %zu are not tracked",
                         count, strerror(-patches[imports[0].owner].result), seen, count - seen);
}

/* Lists the imports that are to be redirected. NULL: no memory. */
static struct import *list_imports(const struct patch *patches, size_t count, size_t *ret_count)
{
    struct import *imports = calloc(count, sizeof(*imports));
    size_t used = 0;

    for (size_t i = 0; i < count && imports; i++) {
        if (patches[i].result != 0)
            imports[used++] = (struct import){
                .function = patches[i].plan->address - patches[i].plan->skip_bytes,
                .stub = patches[i].target,
                .owner = i,
            };
    }
    *ret_count = used;
    return imports;
}

void track_fall_back(struct track *track, const struct patch *patches, size_t count)
{
    struct resolve_target *targets = track->resolution->targets;
    bool is_start = track->entries == NULL;
    struct import *imports = NULL;
    size_t used = 0;

    if (count_failed(patches, count) == 0)
        return;
    if (is_start)
        imports = list_imports(patches, count, &used);
    if (imports)
        imports_redirect(track->shim, imports, used);
    for (size_t i = 0; i < used; i++)
        settle(&targets[patches[imports[i].owner].owner], patches[imports[i].owner].result, &imports[i]);
    for (size_t i = 0; i < count && !imports; i++)
        if (patches[i].result != 0)
            settle(&targets[patches[i].owner], patches[i].result, NULL);
    log_summary(track, patches, imports, used);
    free(imports);
}
