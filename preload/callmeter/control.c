/* The control plane: from the manifest to a process that is instrumented. Composes symbols/, the data plane and the
 * http module. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "preload/callmeter/clock.h"
#include "preload/callmeter/endpoint.h"
#include "preload/callmeter/environment.h"
#include "preload/callmeter/loaded.h"
#include "preload/callmeter/track.h"
#include "preload/callmeter/unwinders.h"
#include "preload/shim.h"
#include "preload/x86_64/cpu.h"
#include "symbols/diag.h"
#include "symbols/manifest.h"
#include "symbols/resolve.h"

__attribute__((visibility("default"))) int callmeter_control_start(const struct shim *shim);

static int lanes_start(const struct shim *shim, const struct clock *clock, struct segment_header *segment)
{
    struct lane_config config = {
        .segment = segment,
        .now = clock->now,
        .errno_offset = (char *)&errno - (char *)cpu_thread_pointer(),
        .exit_address = clock->is_tsc ? shim->exit_tsc : shim->exit_clock,
        .main_thread_pointer = cpu_thread_pointer(),
        .main_stack = getauxval(AT_RANDOM),
    };
    int result = shim->lanes_init(&config);

    if (result != 0)
        return result;
    *shim->clock = clock->now;
    shim->unwind_init(unwinders_lookup);
    return -pthread_atfork(NULL, NULL, shim->lanes_forked);
}

/* What became of the manifest, for the person who reads the log. */
static void report(const struct shim *shim, const struct manifest *manifest, const struct resolution *resolution)
{
    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        bool is_optional = manifest->functions[target->function].is_optional;

        if (target->state == RESOLVE_MISSING && !is_optional)
            shim->log(LOG_LEVEL_WARN, "%s is missing: %s", target->name, target->reason);
        else if (target->state == RESOLVE_FOUND && target->plan.mode == PLAN_REFUSED)
            shim->log(is_optional ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "%s is not tracked: %s", target->name,
                      target->reason);
        else if (target->reason[0])
            shim->log(LOG_LEVEL_INFO, "%s: %s", target->name, target->reason);
    }
}

static int instrument(const struct shim *shim, const struct manifest *manifest, struct clock *clock, struct diag *diag)
{
    struct resolve_options options = {.ifunc = loaded_ifunc};
    struct loaded loaded;
    struct resolution resolution;
    struct track track = {.shim = shim, .manifest = manifest, .resolution = &resolution, .clock = clock};
    int result = loaded_init(&loaded, shim);

    if (result != 0)
        return result;
    result = resolve_manifest(manifest, loaded.objects, loaded.count, &options, &resolution, diag);
    if (result != 0)
        goto loaded;
    clock_calibrate(clock);
    result = track_prepare(&track, diag);
    if (result != 0)
        goto resolution;
    report(shim, manifest, &resolution);
    if (shim->is_strict && track.failed) {
        diag_set(diag, "%zu of the manifest's functions cannot be tracked, and CALLMETER_STRICT is set", track.failed);
        result = -ENOENT;
        goto resolution;
    }
    result = lanes_start(shim, clock, track.segment);
    if (result != 0) {
        diag_set(diag, "no memory for the calls in progress: %s", strerror(-result));
        goto resolution;
    }
    track_apply(&track);
    endpoint_prepare(shim, manifest, track.segment);
resolution:
    track_finish(&track);
    resolution_finish(&resolution);
loaded:
    loaded_finish(&loaded);
    return result;
}

int callmeter_control_start(const struct shim *shim)
{
    struct manifest *manifest = NULL;
    struct clock clock;
    struct diag diag = {0};
    int result;

    clock_begin(&clock);
    result = manifest_load(shim->manifests, &manifest, &diag);
    if (result == 0)
        result = instrument(shim, manifest, &clock, &diag);
    if (result != 0)
        shim->log(LOG_LEVEL_ERROR, "the program runs uninstrumented: %s", diag.text[0] ? diag.text : strerror(-result));
    if (!manifest || !(manifest->follow_exec || manifest->executable_count || shim->executables))
        environment_clean(shim->path);
    manifest_destroy(manifest);
    return result == 0 ? 0 : SHIM_EXIT_CONFIG;
}
