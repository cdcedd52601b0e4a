#include "preload/control/serving/serve.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "preload/control/memory/memory_limits.h"
#include "preload/control/segment/clock.h"
#include "preload/control/serving/budget.h"
#include "preload/control/serving/gauges.h"
#include "preload/control/serving/overflows.h"
#include "preload/control/state/state.h"
#include "preload/shim.h"
#include "preload/version.h"
#include "server/http/config.h"
#include "server/http/http.h"
#include "symbols/elf/demangle.h"
#include "symbols/manifest/manifest.h"

static const struct shim *shim;
static struct http_config config;
static const struct http_calls *http; /* NULL: there is no endpoint */

static void log_text(int level, const char *text)
{
    shim->log((enum log_level)level, "%s", text);
}

static void before_snapshot(void)
{
    shim->lanes->reap();
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

static const struct http_calls *load(void)
{
    char path[PATH_MAX];
    char text[512];
    const struct http_calls *calls;
    void *module;

    snprintf(path, sizeof(path), "%s/callmeter/http.so", shim->settings.directory);
    if (shim->host->module_open(path, &module, text, sizeof(text)) != 0) {
        shim->log(LOG_LEVEL_ERROR, "no endpoint: %s", text);
        return NULL;
    }
    calls = dlsym(module, SHIM_HTTP_CALLS);
    if (!calls)
        shim->log(LOG_LEVEL_ERROR, "no endpoint: %s is not of the same build", path);
    return calls;
}

/* In the process that serves now: what was reckoned with until the fork was its parent's. */
static void take_over(void)
{
    budget_begin_again();
}

/* Of any port, what was picked is kept by the program that this process may exec next. */
static bool is_any_port(const char *listen)
{
    size_t length = strlen(listen);

    return length >= 2 && strcmp(listen + length - 2, ":0") == 0 && strncmp(listen, "unix:", 5) != 0;
}

static void forked(void)
{
    struct own_work work;

    shim->lanes->work_begin(&work);
    http->forked();
    shim->lanes->work_end(&work);
}

static void join_companion(void)
{
    const struct companion_calls calls = {http->resume, http->pause, http->has_left,
                                          http->repeat, http->hold,  http->let_go};

    if (pthread_atfork(NULL, NULL, forked) != 0)
        shim->log(LOG_LEVEL_WARN, "no memory to follow forks: the endpoint ends with this process");
    else
        shim->program->companion_init(&calls);
}

/* On the program's first thread, whose calls are ours for that long. */
static void start(void)
{
    struct own_work work;
    char text[256] = "";

    shim->lanes->work_begin(&work);
    http = load();
    memory_limits_apply_to_threads();
    if (http && http->start(&config, text, sizeof(text)) != 0)
        shim->log(LOG_LEVEL_ERROR, "no endpoint at %s: %s", config.listen, text);
    else if (http)
        join_companion();
    shim->lanes->work_end(&work);
}

static const char *listen_of(const struct shim *given, const struct manifest *manifest)
{
    return given->settings.listen ? given->settings.listen : manifest->listen;
}

/* The manifest is gone when the endpoint answers. NULL: there are none, or no memory for them. */
static const char *const *hosts_of(const struct manifest *manifest)
{
    size_t count = 0;
    char **copies;

    while (manifest->web.hosts && manifest->web.hosts[count])
        count++;
    copies = count ? calloc(count + 1, sizeof(*copies)) : NULL;
    for (size_t i = 0; copies && i < count; i++)
        copies[i] = strdup(manifest->web.hosts[i]);
    return (const char *const *)copies;
}

bool serve_is_wanted(const struct shim *given, const struct manifest *manifest)
{
    return strcmp(listen_of(given, manifest), "none") != 0;
}

void serve_prepare(const struct shim *given, const struct manifest *manifest, const struct clock *clock,
                   struct segment_header *segment)
{
    const char *listen = listen_of(given, manifest);
    struct timespec now;

    if (!serve_is_wanted(given, manifest))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    overflows_init(segment);
    shim = given;
    config = (struct http_config){
        .segment = segment,
        .segment_bytes = segment->segment_bytes,
        .listen = strdup(listen),
        .port_file = given->settings.port_file,
        .is_table_shared = given->settings.has_foreign_descriptors,
        .panics = manifest->panics.report_dir ? strdup(manifest->panics.report_dir) : NULL,
        .has_registers = manifest->panics.has_registers,
        .hosts = hosts_of(manifest),
        .version = CALLMETER_VERSION,
        .revision = CALLMETER_REVISION,
        .start_time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9,
        .enter_thread = given->lanes->enter_thread,
        .leave_thread = given->lanes->leave_thread,
        .take_over = take_over,
        .bound = is_any_port(listen) ? given->host->keep_address : NULL,
        .before_snapshot = before_snapshot,
        .waited = given->lanes->reap_threads,
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
        *given->program->before_main = start;
}
