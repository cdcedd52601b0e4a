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

#include "preload/code_map.h"
#include "preload/exec.h"
#include "preload/executables.h"
#include "preload/interpose.h"
#include "preload/log.h"
#include "preload/masks.h"
#include "preload/module.h"
#include "preload/panic.h"
#include "preload/self.h"
#include "preload/shim.h"
#include "preload/signals.h"
#include "preload/x86_64/cpu.h"

static uint64_t clock_unset(void)
{
    return 0;
}

uint64_t (*hot_clock)(void) __attribute__((visibility("hidden"))) = clock_unset;

static void enter_thread(void)
{
    lane_enter();
    panic_enter_thread();
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

static bool shim_locate(struct shim *shim)
{
    Dl_info info;
    char *path;
    char *slash;

    if (!dladdr((void *)shim_locate, &info) || !info.dli_fname)
        return false;
    path = realpath(info.dli_fname, NULL);
    if (!path)
        return false;
    shim->path = strdup(info.dli_fname);
    slash = strrchr(path, '/');
    *slash = '\0';
    shim->directory = path;
    return shim->path != NULL;
}

static void shim_fill(struct shim *shim)
{
    shim->version = SHIM_VERSION;
    shim->manifests = environment_copy("CALLMETER_MANIFEST");
    shim->listen = environment_copy("CALLMETER_LISTEN");
    shim->port_file = environment_copy("CALLMETER_PORT_FILE");
    shim->executables = environment_copy("CALLMETER_EXE");
    shim->state_dir = environment_copy("CALLMETER_STATE_DIR");
    shim->is_strict = is_set("CALLMETER_STRICT");
    dl_iterate_phdr(count_object, &shim->objects_before);
    shim->code_map = code_map;
    shim->lanes_init = lanes_init;
    shim->lanes_reap = lanes_reap;
    shim->lanes_forked = lanes_forked;
    shim->unwind_init = unwind_init;
    shim->enter_thread = enter_thread;
    shim->lane_enter = lane_enter;
    shim->lane_leave = lane_leave;
    shim->thread_offset = (char *)&hot_thread - (char *)cpu_thread_pointer();
    shim->code_tsc =
        (struct shim_code){hot_entry_tsc, hot_sample_tsc, hot_entry_late_tsc, hot_sample_late_tsc, hot_extra_tsc};
    shim->code_clock = (struct shim_code){hot_entry_clock, hot_sample_clock, hot_entry_late_clock,
                                          hot_sample_late_clock, hot_extra_clock};
    shim->entry_untimed = hot_entry_untimed;
    shim->extra_untimed = hot_extra_untimed;
    shim->read_init = read_init;
    shim->read_prepare = read_prepare;
    shim->count_slow = hot_count_slow;
    shim->tuples_add = tuples_add;
    shim->state_watch = state_watch;
    shim->state_repairs = state_repairs;
    shim->trampolines = hot_pages;
    shim->trampolines_end = hot_pages_end;
    shim->lane_at = lane_at;
    shim->clock = &hot_clock;
    shim->before_main = &interpose_before_main;
    shim->exec_init = exec_init;
    shim->panic_init = panic_init;
    shim->relocated_init = relocated_init;
    shim->module_open = module_open;
    shim->log = log_line;
}

static int control_run(const struct shim *shim)
{
    char path[PATH_MAX];
    char text[512];
    void *module;
    shim_control_start start;
    int result;

    snprintf(path, sizeof(path), "%s/callmeter/control.so", shim->directory);
    result = module_open(path, &module, text, sizeof(text));
    if (result != 0) {
        log_line(LOG_LEVEL_ERROR, "the program runs uninstrumented: %s", text);
        return result;
    }
    *(void **)&start = dlsym(module, SHIM_CONTROL_START);
    return start ? start(shim) : -ENOENT;
}

/* True where the shim must not even look further. */
static bool is_out_of_place(void)
{
    const char *name = self_captured_name();

    if (name)
        self_warn("the program has a function of its own that is called as one of libc, and runs uninstrumented: ",
                  name);
    return name || getauxval(AT_SECURE);
}

__attribute__((constructor)) static void gate(void)
{
    static struct shim shim;
    const char *manifests = self_environment("CALLMETER_MANIFEST");
    struct cpu_float_state float_state;
    struct lane *before;
    int saved_errno = errno;
    int result;

    interpose_init();
    exec_resolve();
    signals_resolve();
    masks_resolve();
    if (!manifests || !*manifests || is_set("CALLMETER_DISABLE") || is_out_of_place() || !is_meant(manifests)) {
        errno = saved_errno;
        return;
    }
    log_init(self_environment("CALLMETER_LOG"));
    cpu_float_save(&float_state);
    before = lane_enter();
    if (shim_locate(&shim)) {
        shim_fill(&shim);
        result = control_run(&shim);
        if (shim.is_strict && result != 0)
            _exit(SHIM_EXIT_CONFIG);
    }
    lane_leave(before);
    cpu_float_restore(&float_state);
    errno = saved_errno;
}
