#include "preload/control/reports/panic_module.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "preload/control/reports/mapped.h"
#include "preload/control/reports/report_file.h"
#include "preload/shim.h"
#include "preload/version.h"

__attribute__((visibility("default")))
const struct panic_module *SHIM_NAME(callmeter_panic_open)(const struct panic_module_config *config, char *text,
                                                           size_t text_bytes);

static const struct panic_module module = {
    .report = report_write,
    .unwind_to_record = backtrace_to_record,
    .meets_signal_frame = backtrace_meets_signal_frame,
};

/* What is wrong with the folder. */
static const char *folder_trouble(int result)
{
    if (result == -EPERM)
        return "it belongs to someone else, or others can write there";
    return result == -ELOOP ? "it is a symbolic link" : strerror(-result);
}

const struct panic_module *SHIM_NAME(callmeter_panic_open)(const struct panic_module_config *config, char *text,
                                                           size_t text_bytes)
{
    int result;

    text[0] = '\0';
    mapped_init();
    result = backtrace_init(&config->backtrace);
    if (result != 0) {
        snprintf(text, text_bytes, "libunwind does not work here: %s", strerror(-result));
        return NULL;
    }
    report_init(&config->report);
    result = config->report.folder ? report_file_prepare(config->report.folder) : 0;
    if (result != 0)
        snprintf(text, text_bytes, "no reports of panics can be written to %s: %s", config->report.folder,
                 folder_trouble(result));
    return &module;
}
