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

/* What the steps of a start hand on. */
struct start {
    const struct shim *shim;
    const struct manifest *manifest;
    struct clock *clock;
    struct diag *diag; /* of the step that failed */
    bool has_shadow_stack;
    struct loaded loaded;
    struct resolution resolution;
    struct state state;
    struct track track;
    struct recover_value *recover; /* by row; NULL: nothing is recovered */
};

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

static int open_objects(struct start *start)
{
    return loaded_init(&start->loaded, start->shim);
}

static void close_objects(struct start *start)
{
    loaded_finish(&start->loaded);
}

static int respect_runtimes(struct start *start)
{
    const char *reason = runtime_stand_aside(start->loaded.objects, start->loaded.count);

    if (!reason)
        return 0;
    start->shim->host->stand_aside(reason);
    return -ENOTSUP;
}

static int resolve(struct start *start)
{
    const struct resolve_options options = {.ifunc = loaded_ifunc, .has_shadow_stack = start->has_shadow_stack};

    return resolve_manifest(start->manifest, start->loaded.objects, start->loaded.count, &options, &start->resolution,
                            start->diag);
}

static void forget_resolution(struct start *start)
{
    resolution_finish(&start->resolution);
}

static int calibrate(struct start *start)
{
    clock_calibrate(start->clock);
    return 0;
}

static int begin_state(struct start *start)
{
    const char *given = start->shim->settings.state_dir;

    state_begin(&start->state, start->shim, start->clock, given ? given : start->manifest->state_dir);
    return 0;
}

static void finish_state(struct start *start)
{
    state_finish(&start->state);
}

static int begin_track(struct start *start)
{
    start->track = (struct track){
        .shim = start->shim,
        .manifest = start->manifest,
        .resolution = &start->resolution,
        .clock = start->clock,
        .state = &start->state,
        .reserve = late_reserve(start->manifest, &start->resolution),
    };
    return 0;
}

static void finish_track(struct start *start)
{
    track_finish(&start->track);
}

static int prepare_track(struct start *start)
{
    return track_prepare(&start->track, start->diag);
}

static int find_gauges(struct start *start)
{
    gauges_prepare(start->shim, start->manifest, start->loaded.objects, start->loaded.count, start->track.segment);
    return 0;
}

static int check_strictness(struct start *start)
{
    if (!start->shim->settings.is_strict || start->track.failed == 0)
        return 0;
    tell_resolution(start->shim, start->manifest, &start->resolution, NULL);
    diag_set(start->diag, "%zu of the manifest's functions cannot be tracked, and CALLMETER_STRICT is set",
             start->track.failed);
    return -ENOENT;
}

/* Whichever of the two cannot be had: the other does nothing where nothing is under way, and no lane in use. */
static int follow_forks(struct start *start)
{
    int error = pthread_atfork(NULL, NULL, live_forked);

    if (error == 0)
        error = pthread_atfork(NULL, NULL, start->shim->lanes->forked);
    if (error != 0)
        diag_set(start->diag, "no memory to follow forks: %s", strerror(error));
    return -error;
}

static int start_lanes(struct start *start)
{
    const struct shim *shim = start->shim;
    struct lane_config config = {
        .segment = start->track.segment,
        .is_file = start->state.file.fresh >= 0,
        .now = start->clock->now,
        .errno_offset = (char *)&errno - (char *)cpu_thread_pointer(),
        .is_data_scanned = runtime_scans_data(start->loaded.objects, start->loaded.count),
        .main_thread_pointer = cpu_thread_pointer(),
        .main_stack = getauxval(AT_RANDOM),
    };
    int result = shim->lanes->init(&config);

    if (result != 0)
        diag_set(start->diag, "no memory for the calls in progress: %s", strerror(-result));
    return result;
}

static int tell_runtimes(struct start *start)
{
    start->shim->calls->unwind_init(unwinders_lookup);
    walkers_tell(start->loaded.objects, start->loaded.count, start->shim->calls->return_place);
    return 0;
}

static int find_memory(struct start *start)
{
    memory_init(start->shim);
    return 0;
}

static int apply_track(struct start *start)
{
    live_init(start->shim);
    track_apply(&start->track);
    return 0;
}

static int tell(struct start *start)
{
    tell_resolution(start->shim, start->manifest, &start->resolution, NULL);
    return 0;
}

static int publish_state(struct start *start)
{
    state_publish(&start->state, start->track.segment);
    return 0;
}

/* To end and make the endpoint's thread. Not under valgrind, whose memcheck warns of each probe of memory. */
static bool is_unwinder_wanted(const struct start *start)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return serve_is_wanted(start->shim, start->manifest) && !(preloaded && strstr(preloaded, "/vgpreload_"));
}

static int start_panics(struct start *start)
{
    const struct manifest *manifest = start->manifest;
    struct segment_header *segment = start->track.segment;
    const struct object *program = start->loaded.count > 0 ? start->loaded.objects[0] : NULL;
    bool is_wanted = panic_is_wanted(manifest);
    const struct panic_module *module = is_wanted || is_unwinder_wanted(start)
                                            ? panic_load(start->shim, manifest, program, segment, track_stubs())
                                            : NULL;
    struct panic_config config = {
        .segment = segment,
        .linger_seconds = manifest->panics.linger_seconds,
        .recover = {.count = segment->function_capacity, .max_recoveries = manifest->panics.max_recoveries},
        .report = module && is_wanted ? module->report : NULL,
    };

    start->recover = recover_values(manifest, &start->resolution, segment);
    if (start->recover && module) {
        config.recover.values = start->recover;
        config.recover.unwind = module->unwind_to_record;
    }
    if (module)
        start->shim->program->interrupted_unwind(module->meets_signal_frame);
    start->shim->panics->relocated_init(&(struct relocated_map){.back = place_back, .forth = place_forth});
    start->shim->panics->init(&config);
    return 0;
}

static int prepare_endpoint(struct start *start)
{
    serve_prepare(start->shim, start->manifest, start->clock, start->track.segment);
    return 0;
}

static int watch_arrivals(struct start *start)
{
    const struct loaded *loaded = &start->loaded;
    struct late_config config = {
        .shim = start->shim,
        .manifest = start->manifest,
        .clock = start->clock,
        .segment = start->track.segment,
        .recover = start->recover,
        .places = track_stubs(),
        .has_shadow_stack = start->has_shadow_stack,
        .is_data_scanned = runtime_scans_data(loaded->objects, loaded->count),
    };

    config.limit = runtime_limit_process(loaded->objects, loaded->count, &config.limit_reason);
    arrivals_begin(&config, &start->resolution);
    return 0;
}

/* One step of a start. `undo` gives back what was only needed meanwhile, once `act` has succeeded and the steps behind
 * it are done or have failed; what the process keeps is not given back. */
struct step {
    int (*act)(struct start *start);
    void (*undo)(struct start *start);
};

static const struct step steps[] = {
    /* All steps ask the objects' files, which stay open until the last one is done. */
    {open_objects, close_objects},
    /* Before anything is done to the process: beside some runtimes nothing may be. */
    {respect_runtimes, NULL},
    {resolve, forget_resolution},
    /* The two looks at the clock lie some milliseconds apart, which resolving has mostly filled. Hooks hold ticks. */
    {calibrate, NULL},
    /* The segment is made in the state's fresh file, whose size is known once everything is resolved. */
    {begin_state, finish_state},
    {begin_track, finish_track},
    {prepare_track, NULL},
    /* With the segment, and while the files are open that have the variables' names. */
    {find_gauges, NULL},
    /* While nothing is patched yet, and no thread is anything but the program's. */
    {check_strictness, NULL},
    /* Can fail, and is of no effect by itself: before what cannot be taken back. A fork while threads are patched has
     * to be followed. */
    {follow_forks, NULL},
    /* The first patched function may be called at once: by then there are lanes, a clock, somebody to ask about
     * unwinders, and the memory is known that needs no asking. */
    {start_lanes, NULL},
    {tell_runtimes, NULL},
    {find_memory, NULL},
    {apply_track, NULL},
    /* What could not be patched has failed as well. */
    {check_strictness, NULL},
    {tell, NULL},
    /* The tables are complete, which the file's layout is a hash of. Before the endpoint shows any counter. */
    {publish_state, NULL},
    /* Rows and stubs are what a panic is attributed by. Signals are claimed late, so that faults of the steps above are
     * not taken for the program's. */
    {start_panics, NULL},
    /* Starts before main, when all of this is done. */
    {prepare_endpoint, NULL},
    /* Last: it tells the program's objects from those that came with callmeter's modules, which are loaded now; and
     * from here on libraries that come change the tables. */
    {watch_arrivals, NULL},
};

static int instrument(const struct shim *shim, const struct manifest *manifest, struct clock *clock, struct diag *diag)
{
    struct start start = {
        .shim = shim,
        .manifest = manifest,
        .clock = clock,
        .diag = diag,
        .has_shadow_stack = has_shadow_stack(),
    };
    size_t done = 0;
    int result = 0;

    while (done < sizeof(steps) / sizeof(steps[0])) {
        result = steps[done].act(&start);
        if (result != 0)
            break;
        done++;
    }
    while (done-- > 0)
        if (steps[done].undo)
            steps[done].undo(&start);
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
