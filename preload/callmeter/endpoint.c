#include "preload/callmeter/endpoint.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "preload/callmeter/budget.h"
#include "preload/callmeter/clock.h"
#include "preload/callmeter/gauges.h"
#include "preload/callmeter/overflows.h"
#include "preload/callmeter/state.h"
#include "preload/shim.h"
#include "server/http.h"
#include "symbols/demangle.h"
#include "symbols/manifest.h"
#include "version.h"

static const struct shim *shim;
static struct http_config config;

static void log_text(int level, const char *text)
{
    shim->log((enum log_level)level, "%s", text);
}

static void before_snapshot(void)
{
    shim->lanes_reap();
    gauges_refresh();
    state_refresh();
}

static const char *turn(void)
{
    const char *text = budget_turn();

    if (!text)
        text = gauges_trouble();
    if (!text)
        text = overflows_trouble();
    state_refresh();
    return text ? text : state_trouble();
}

static char *demangle_full(const char *name, size_t length)
{
    return demangle(name, length, DEMANGLE_FULL);
}

typedef int (*http_start_function)(const struct http_config *, char *, size_t);

static http_start_function load(void)
{
    char path[PATH_MAX];
    char text[512];
    void *module;
    http_start_function start;

    snprintf(path, sizeof(path), "%s/callmeter/http.so", shim->directory);
    if (shim->module_open(path, &module, text, sizeof(text)) != 0) {
        shim->log(LOG_LEVEL_ERROR, "no endpoint: %s", text);
        return NULL;
    }
    *(void **)&start = dlsym(module, SHIM_HTTP_START);
    return start;
}

/* On the program's first thread, whose calls are ours for that long. */
static void start(void)
{
    struct lane *before = shim->lane_enter();
    http_start_function begin;
    char text[256] = "";

    begin = load();
    if (begin && begin(&config, text, sizeof(text)) != 0)
        shim->log(LOG_LEVEL_ERROR, "no endpoint at %s: %s", config.listen, text);
    shim->lane_leave(before);
}

void endpoint_prepare(const struct shim *given, const struct manifest *manifest, const struct clock *clock,
                      struct segment_header *segment)
{
    const char *listen = given->listen ? given->listen : manifest->listen;
    struct timespec now;

    if (strcmp(listen, "none") == 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    overflows_init(segment);
    shim = given;
    config = (struct http_config){
        .segment = segment,
        .listen = strdup(listen),
        .port_file = given->port_file,
        .panics = manifest->panics.report_dir ? strdup(manifest->panics.report_dir) : NULL,
        .version = CALLMETER_VERSION,
        .revision = CALLMETER_REVISION,
        .start_time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9,
        .enter_thread = given->enter_thread,
        .before_snapshot = before_snapshot,
        .now_ticks = clock->now,
        .periodic = turn,
        .periodic_ms = BUDGET_TURN_MS,
        .demangle = demangle_full,
        .log = log_text,
    };
    if (budget_init(segment, manifest->overhead_budget, clock) != 0) {
        shim->log(LOG_LEVEL_WARN, "no memory to find out what tracking costs: overhead_budget is not kept");
        config.periodic = NULL;
    }
    if (config.listen)
        *given->before_main = start;
}
