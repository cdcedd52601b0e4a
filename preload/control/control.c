/* The control plane: from the manifest to a process that is instrumented. Composes symbols/, the data plane and the
 * http module. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/control/late/arrivals.h"
#include "preload/control/late/late.h"
#include "preload/control/memory/memory.h"
#include "preload/control/objects/loaded.h"
#include "preload/control/objects/unwinders.h"
#include "preload/control/objects/walkers.h"
#include "preload/control/patching/live.h"
#include "preload/control/patching/stub_map.h"
#include "preload/control/reports/panic_load.h"
#include "preload/control/reports/panic_module.h"
#include "preload/control/segment/clock.h"
#include "preload/control/serving/gauges.h"
#include "preload/control/serving/serve.h"
#include "preload/control/state/state.h"
#include "preload/control/tracking/tell.h"
#include "preload/control/tracking/track.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/shim.h"
#include "preload/version.h"
#include "symbols/common/diag.h"
#include "symbols/elf/runtime.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

enum {
    SHADOW_STACK_STATUS = 0x5005,
    SHADOW_STACK_ON = 1,
};

__attribute__((visibility("default"))) int SHIM_NAME(callmeter_control_start)(const struct shim *shim);

static int lanes_start(const struct shim *shim, const struct clock *clock, const struct loaded *loaded,
                       struct segment_header *segment, bool is_file)
{
    struct lane_config config = {
        .segment = segment,
        .is_file = is_file,
        .now = clock->now,
        .errno_offset = (char *)&errno - (char *)cpu_thread_pointer(),
        .is_data_scanned = runtime_scans_data(loaded->objects, loaded->count),
        .main_thread_pointer = cpu_thread_pointer(),
        .main_stack = getauxval(AT_RANDOM),
    };
    int result = shim->lanes->init(&config);

    if (result != 0)
        return result;
    shim->calls->unwind_init(unwinders_lookup);
    walkers_tell(loaded->objects, loaded->count, shim->calls->return_place);
    live_init(shim->panics);
    return -pthread_atfork(NULL, NULL, live_forked) - pthread_atfork(NULL, NULL, shim->lanes->forked);
}

/* arch_prctl(ARCH_SHSTK_STATUS), Linux 6.6: Documentation/arch/x86/shstk.rst. Older kernels keep no shadow stacks for
 * programs. */
static bool has_shadow_stack(void)
{
    unsigned long features = 0;

    return syscall(SYS_arch_prctl, SHADOW_STACK_STATUS, &features) == 0 && (features & SHADOW_STACK_ON);
}

/* By the rows in the segment, which hooks know; those that are free yet get theirs from arrivals. */
static struct recover_value *recover_values(const struct manifest *manifest, const struct resolution *resolution,
                                            const struct segment_header *segment)
{
    struct recover_value *values = NULL;

    for (size_t i = 0; i < manifest->function_count && !values; i++)
        if (manifest->functions[i].has_recover)
            values = calloc((size_t)segment->function_capacity + 1, sizeof(*values));
    for (size_t i = 0; values && i < resolution->count; i++) {
        const struct manifest_function *function = &manifest->functions[resolution->targets[i].function];

        values[i] = (struct recover_value){function->has_recover, function->recover_value};
    }
    return values;
}

static bool place_back(struct relocated_registers *registers)
{
    return stub_map_back(track_stubs(), registers);
}

static bool place_forth(uintptr_t stub_pc, uintptr_t *pc)
{
    return stub_map_forth(track_stubs(), stub_pc, pc);
}

static void panics_start(const struct shim *shim, const struct manifest *manifest, const struct loaded *loaded,
                         struct segment_header *segment, const struct recover_value *values)
{
    const struct object *program = loaded->count > 0 ? loaded->objects[0] : NULL;
    const struct panic_module *module = panic_load(shim, manifest, program, segment, track_stubs());
    struct panic_config config = {
        .segment = segment,
        .linger_seconds = manifest->panics.linger_seconds,
        .recover = {.count = segment->function_capacity, .max_recoveries = manifest->panics.max_recoveries},
        .report = module ? module->report : NULL,
    };

    if (values && module) {
        config.recover.values = values;
        config.recover.unwind = module->unwind_to_record;
    }
    shim->panics->relocated_init(&(struct relocated_map){.back = place_back, .forth = place_forth});
    shim->panics->init(&config);
}

static void arrivals_start(const struct track *track, const struct loaded *loaded, struct recover_value *values)
{
    struct late_config config = {
        .shim = track->shim,
        .manifest = track->manifest,
        .clock = track->clock,
        .segment = track->segment,
        .recover = values,
        .places = track_stubs(),
        .has_shadow_stack = has_shadow_stack(),
        .is_data_scanned = runtime_scans_data(loaded->objects, loaded->count),
    };

    config.limit = runtime_limit_process(loaded->objects, loaded->count, &config.limit_reason);
    arrivals_begin(&config, track->resolution);
}

/* Asked when the functions are planned, and again when they are patched. */
static int check_strictness(const struct track *track, struct diag *diag)
{
    if (!track->shim->settings.is_strict || track->failed == 0)
        return 0;
    tell_resolution(track->shim, track->manifest, track->resolution, NULL);
    diag_set(diag, "%zu of the manifest's functions cannot be tracked, and CALLMETER_STRICT is set", track->failed);
    return -ENOENT;
}

static int instrument(const struct shim *shim, const struct manifest *manifest, struct clock *clock, struct diag *diag)
{
    struct resolve_options options = {.ifunc = loaded_ifunc, .has_shadow_stack = has_shadow_stack()};
    struct loaded loaded;
    struct resolution resolution;
    struct state state;
    struct recover_value *values;
    struct track track = {
        .shim = shim, .manifest = manifest, .resolution = &resolution, .clock = clock, .state = &state};
    const char *reason;
    int result = loaded_init(&loaded, shim);

    if (result != 0)
        return result;
    reason = runtime_stand_aside(loaded.objects, loaded.count);
    if (reason) {
        shim->host->stand_aside(reason);
        result = -ENOTSUP;
        goto loaded;
    }
    result = resolve_manifest(manifest, loaded.objects, loaded.count, &options, &resolution, diag);
    if (result != 0)
        goto loaded;
    clock_calibrate(clock);
    track.reserve = late_reserve(manifest, &resolution);
    state_begin(&state, shim, clock, shim->settings.state_dir ? shim->settings.state_dir : manifest->state_dir);
    result = track_prepare(&track, diag);
    if (result != 0)
        goto state;
    gauges_prepare(shim, manifest, loaded.objects, loaded.count, track.segment);
    result = check_strictness(&track, diag);
    if (result != 0)
        goto state;
    result = lanes_start(shim, clock, &loaded, track.segment, state.file.fresh >= 0);
    if (result != 0) {
        diag_set(diag, "no memory for the calls in progress: %s", strerror(-result));
        goto state;
    }
    memory_init(shim);
    track_apply(&track);
    result = check_strictness(&track, diag);
    if (result != 0)
        goto state;
    tell_resolution(shim, manifest, &resolution, NULL);
    state_publish(&state, track.segment);
    values = recover_values(manifest, &resolution, track.segment);
    panics_start(shim, manifest, &loaded, track.segment, values);
    serve_prepare(shim, manifest, clock, track.segment);
    arrivals_start(&track, &loaded, values);
state:
    state_finish(&state);
    track_finish(&track);
    resolution_finish(&resolution);
loaded:
    loaded_finish(&loaded);
    return result;
}

static void pass_on(const struct shim *shim, const struct manifest *manifest)
{
    bool is_shared = manifest && manifest->follow_exec;

    if (shim->settings.executables)
        shim->host->pass_on(&shim->settings.executables, 1, is_shared);
    else if (manifest)
        shim->host->pass_on((const char *const *)manifest->executables, manifest->executable_count, is_shared);
    else
        shim->host->pass_on(NULL, 0, false);
}

/* The gate has looked at the text of the manifests only. */
static bool is_meant(const struct shim *shim, const struct manifest *manifest)
{
    return shim->settings.executables || manifest->executable_count == 0 ||
           shim->host->executables_match((const char *const *)manifest->executables, manifest->executable_count);
}

int SHIM_NAME(callmeter_control_start)(const struct shim *shim)
{
    static struct manifest *manifest; /* asked again for libraries that come later, as is the clock */
    static struct clock clock;
    struct diag diag = {0};
    int result;

    clock_begin(&clock);
    result = manifest_load(shim->settings.manifests, &manifest, &diag);
    if (result == 0 && !is_meant(shim, manifest)) {
        manifest_destroy(manifest);
        return 0;
    }
    if (result == 0)
        result = instrument(shim, manifest, &clock, &diag);
    if (result != 0 && result != -ENOTSUP)
        shim->log(LOG_LEVEL_ERROR, "the program runs uninstrumented: %s", diag.text[0] ? diag.text : strerror(-result));
    if (result != -ENOTSUP)
        pass_on(shim, manifest);
    if (result != 0)
        manifest_destroy(manifest);
    return result == 0 ? 0 : SHIM_EXIT_CONFIG;
}
