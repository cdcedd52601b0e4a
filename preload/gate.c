/* The gate: is this process one to instrument? Runs in every process that the object is preloaded into, most of which
 * are not, so it decides by the environment and a look at the manifest, and only then loads what is heavy. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "preload/calls/sampling.h"
#include "preload/calls/ticks.h"
#include "preload/host/environment.h"
#include "preload/host/executables.h"
#include "preload/host/foreign.h"
#include "preload/host/module.h"
#include "preload/host/own_allocator.h"
#include "preload/host/self.h"
#include "preload/host/successor.h"
#include "preload/interpose/interpose.h"
#include "preload/interpose/loader.h"
#include "preload/machine/code_map.h"
#include "preload/machine/log.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/delivery.h"
#include "preload/processes/address_limit.h"
#include "preload/processes/companion.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/trampolines.h"
#include "preload/shim.h"
#include "preload/signals/actions.h"
#include "preload/signals/masks.h"
#include "preload/threads/altstack.h"
#include "preload/threads/attach.h"
#include "preload/threads/shared_lock.h"
#include "preload/version.h"

static struct shim own_shim;       /* below, with its tables */
static char **arguments;           /* the program's */
static char **initial_environment; /* as the kernel made it */

static int data_plane_init(const struct lane_config *config)
{
    ticks_init(config->now);
    counters_init(config->segment, config->errno_offset);
    sampling_init();
    return lanes_init(config);
}

static _Atomic int own_thread;

static int own_thread_id(void)
{
    return own_thread;
}

static void leave_thread(void)
{
    own_thread = 0;
}

static void forked(void)
{
    own_thread = 0;
    lanes_forked();
    signals_forked();
}

static void enter_thread(void)
{
    lane_enter();
    panic_enter_thread();
    own_thread = cpu_own_tid();
}

static int count_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)info;
    (void)size;
    ++*(size_t *)context;
    return 0;
}

static char *environment_copy(const char *name)
{
    const char *value = self_environment(name);

    return value && *value ? strdup(value) : NULL;
}

static bool is_set(const char *name)
{
    const char *value = self_environment(name);

    return value && value[0] == '1' && value[1] == '\0';
}

static bool is_meant(const char *manifests)
{
    const char *executables = self_environment("CALLMETER_EXE");

    if (executables && *executables)
        return executables_match(&executables, 1);
    return executables_match_manifests(manifests);
}

static bool shim_locate(struct shim_settings *settings)
{
    static char path[PATH_MAX];
    Dl_info info;

    if (!dladdr((void *)shim_locate, &info) || !info.dli_fname)
        return false;
    settings->path = info.dli_fname; /* ld.so's own, as long as the object is loaded: for ever */
    if (!realpath(info.dli_fname, path))
        return false;
    *strrchr(path, '/') = '\0';
    settings->directory = path;
    return true;
}

static void pass_on(const char *const *patterns, size_t count, bool is_shared)
{
    environment_keep(own_shim.settings.path);
    successor_init(patterns, count, arguments);
    if (is_shared)
        environment_share();
    else
        environment_clean(own_shim.settings.path, initial_environment);
}

/* What the program execs is left alone as well, but for programs that were meant by their names: those are met on their
 * own, whoever execs them. */
static void leave_alone(void)
{
    const char *executables = self_environment("CALLMETER_EXE");

    if (!(executables && *executables) && !executables_are_followed(self_environment("CALLMETER_MANIFEST")))
        environment_clean(own_shim.settings.path, initial_environment);
}

static void stand_aside(const char *reason)
{
    log_line(LOG_LEVEL_WARN, "the program runs uninstrumented: %s", reason);
    leave_alone();
}

static const struct shim_trampolines trampolines = {
    .tsc = {hot_entry_tsc, hot_sample_tsc, hot_entry_late_tsc, hot_sample_late_tsc, hot_extra_tsc},
    .clock = {hot_entry_clock, hot_sample_clock, hot_entry_late_clock, hot_sample_late_clock, hot_extra_clock},
    .entry_untimed = hot_entry_untimed,
    .extra_untimed = hot_extra_untimed,
    .count_slow = hot_count_slow,
    .begin = hot_pages,
    .end = hot_pages_end,
    .bind = trampolines_bind,
};

static const struct shim_machine machine = {
    .code_map = code_map,
    .call_on_stack = cpu_call_on_stack,
};

static const struct shim_lanes lanes = {
    .init = data_plane_init,
    .reap_threads = lanes_reap_threads,
    .reap = lanes_reap,
    .forked = forked,
    .work_begin = own_work_begin,
    .work_end = own_work_end,
    .enter_thread = enter_thread,
    .leave_thread = leave_thread,
    .own_thread = own_thread_id,
    .at = lane_at,
    .lock_take = shared_lock_take,
    .lock_leave = shared_lock_leave,
};

static const struct shim_calls calls = {
    .unwind_init = unwind_init,
    .unwind_forget = unwind_forget,
    .return_place = chain_return_place,
    .read_init = read_init,
    .read_prepare = read_prepare,
    .tuples_add = tuples_add,
};

static const struct shim_panics panics = {
    .init = delivery_init,
    .relocated_init = relocated_init,
    .lend = signals_lend,
    .take_back = signals_take_back,
    .lent = signals_lent,
    .state_watch = state_watch,
    .state_repairs = state_repairs,
};

static const struct shim_program program = {
    .companion_init = companion_init,
    .interrupted_unwind = interrupted_unwind,
    .loader_init = loader_init,
    .before_main = &interpose_before_main,
};

static const struct shim_host host = {
    .keep_address = environment_keep_address,
    .executables_match = executables_match,
    .pass_on = pass_on,
    .stand_aside = stand_aside,
    .module_open = module_open,
};

static struct shim own_shim = {
    .trampolines = &trampolines,
    .machine = &machine,
    .lanes = &lanes,
    .calls = &calls,
    .panics = &panics,
    .program = &program,
    .host = &host,
    .log = log_line,
};

static void settings_read(struct shim_settings *settings)
{
    settings->manifests = environment_copy("CALLMETER_MANIFEST");
    settings->listen = environment_copy("CALLMETER_LISTEN");
    settings->port_file = environment_copy("CALLMETER_PORT_FILE");
    settings->executables = environment_copy("CALLMETER_EXE");
    settings->state_dir = environment_copy("CALLMETER_STATE_DIR");
    dl_iterate_phdr(count_object, &settings->objects_before);
    settings->has_foreign_descriptors = foreign_has_descriptors();
}

static int control_run(const struct shim *shim)
{
    char path[PATH_MAX];
    char text[512];
    void *module;
    shim_control_start start;
    int result;

    snprintf(path, sizeof(path), "%s/callmeter/control.so", shim->settings.directory);
    result = module_open(path, &module, text, sizeof(text));
    if (result != 0) {
        log_line(LOG_LEVEL_ERROR, "the program runs uninstrumented: %s", text);
        leave_alone();
        return result;
    }
    *(void **)&start = dlsym(module, SHIM_CONTROL_START);
    if (start)
        return start(shim);
    log_line(LOG_LEVEL_ERROR, "the program runs uninstrumented: %s is not of the same build as %s", path,
             shim->settings.path);
    leave_alone();
    return -ENOENT;
}

/* True where libc cannot be trusted. (Sanitizers take the place of much of it too, and may.) */
static bool is_captured(void)
{
    const char *name = self_captured_name();

    if (name)
        self_warn("the program has a function of its own that is called as one of libc, and runs uninstrumented: ",
                  name);
    return name;
}

static void end_if_strict(int result)
{
    if (result != 0 && own_shim.settings.is_strict)
        _exit(SHIM_EXIT_CONFIG);
}

/* From here on the program's allocator is called. */
static void instrument(void)
{
    struct cpu_float_state float_state;
    struct lane *before;
    int result;

    settings_read(&own_shim.settings);
    own_shim.thread_offset = (char *)&hot_thread - (char *)cpu_thread_pointer();
    cpu_float_save(&float_state);
    before = lane_enter();
    address_limit_ours_begin();
    result = control_run(&own_shim);
    address_limit_ours_end();
    lane_leave(before);
    cpu_float_restore(&float_state);
    end_if_strict(result);
}

/* All constructors have run, that of the allocator among them. One that main sets up comes later still, and nobody
 * tells when. */
static void instrument_late(void)
{
    interpose_before_main = NULL;
    if (own_allocator_works()) {
        instrument();
        address_limit_ours_begin(); /* for who has called, and what comes now */
        if (interpose_before_main)
            interpose_before_main();
    } else {
        stand_aside("it has an allocator of its own, which does not work before main");
        end_if_strict(-1);
    }
}

static void begin(const char *foreign)
{
    const char *reason = foreign ? foreign : foreign_emulator();

    log_init(self_environment("CALLMETER_LOG"));
    own_shim.settings.is_strict = is_set("CALLMETER_STRICT"); /* before the environment is cleaned */
    if (!shim_locate(&own_shim.settings))
        reason = "its libcallmeter.so cannot be found any more";
    if (reason) {
        stand_aside(reason);
        end_if_strict(-1);
    } else if (own_allocator_is_known()) {
        instrument();
    } else {
        interpose_before_main = instrument_late;
    }
}

static bool is_asked_for(void)
{
    const char *manifests = self_environment("CALLMETER_MANIFEST");

    return manifests && *manifests && !is_set("CALLMETER_DISABLE") && !getauxval(AT_SECURE);
}

/* The loader hands constructors what main gets (glibc's elf/dl-init.c; musl's hands nothing). */
__attribute__((constructor)) static void gate(int argc, char **argv, char **variables)
{
    int saved_errno = errno;
    const char *foreign;

    if (!foreign_libc()) {
        arguments = argv;
        executables_init(argc > 0 ? argv[0] : NULL);
        initial_environment = variables;
    }
    interpose_init();
    if (is_asked_for()) {
        foreign = foreign_reason();
        if ((foreign || !is_captured()) && is_meant(self_environment("CALLMETER_MANIFEST")))
            begin(foreign);
    }
    errno = saved_errno;
}

/* Where main returns, or the last thread ends, exit is called inside libc. */
__attribute__((destructor)) static void leave(void)
{
    lanes_ending(ABANDONED_PROCESS_EXIT);
}
