#include "preload/control/reports/panic_load.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/reports/panic_module.h"
#include "preload/control/reports/withheld.h"
#include "preload/shim.h"
#include "preload/version.h"
#include "symbols/elf/object.h"
#include "symbols/manifest/manifest.h"

bool panic_is_wanted(const struct manifest *manifest)
{
    if (manifest->panics.signal_count == 0)
        return false;
    for (size_t i = 0; i < manifest->function_count; i++)
        if (manifest->functions[i].has_recover)
            return true;
    return manifest->panics.report_dir != NULL;
}

static const struct panic_module *open_module(const struct shim *shim, const struct panic_module_config *config,
                                              enum log_level trouble)
{
    char path[PATH_MAX];
    char text[PATH_MAX + 256];
    const struct panic_module *panics;
    panic_module_open open;
    void *handle;

    snprintf(path, sizeof(path), "%s/callmeter/panic.so", shim->settings.directory);
    if (shim->host->module_open(path, &handle, text, sizeof(text)) != 0) {
        shim->log(trouble, "no reports of panics, and no recovery: %s", text);
        return NULL;
    }
    if (!withheld_begin(shim->settings.objects_before)) {
        shim->log(trouble, "no reports of panics, and no recovery: libunwind cannot be kept from system calls that it "
                           "does not need");
        return NULL;
    }
    *(void **)&open = dlsym(handle, SHIM_PANIC_OPEN);
    if (!open)
        snprintf(text, sizeof(text), "no reports of panics, and no recovery: %s is not of the same build", path);
    panics = open ? open(config, text, sizeof(text)) : NULL;
    if (text[0])
        shim->log(trouble == LOG_LEVEL_ERROR ? LOG_LEVEL_WARN : trouble, "%s", text);
    return panics;
}

const struct panic_module *panic_load(const struct shim *shim, const struct manifest *manifest,
                                      const struct object *program, const struct segment_header *segment,
                                      const struct stub_map *stubs)
{
    const struct manifest_panics *panics = &manifest->panics;
    struct panic_module_config config = {
        .backtrace = {stubs, (uintptr_t)shim->trampolines->begin, (uintptr_t)shim->trampolines->end},
        .report = {.segment = segment,
                   .lane_at = shim->lanes->at,
                   .program = strdup(program ? program->path : "/proc/self/exe"),
                   .folder = panics->report_dir ? strdup(panics->report_dir) : NULL,
                   .max_reports = panics->max_reports,
                   .backtrace_depth = panics->backtrace_depth},
    };

    if (!config.report.program || (panics->report_dir && !config.report.folder)) {
        shim->log(LOG_LEVEL_ERROR, "no memory for reports of panics");
        return NULL;
    }
    return open_module(shim, &config, panic_is_wanted(manifest) ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG);
}
