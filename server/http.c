/* The server thread.
 *
 *   http_start                              server thread
 *     parse the address
 *     block signals, make the thread  -->   descriptor table of its own
 *     wait                            <--   bound (or taken, or not possible)
 *                                           serve; or while the address is taken, try again every second */
#include "server/http.h"

#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "server/address.h"
#include "server/descriptors.h"
#include "server/endpoint.h"
#include "server/routes.h"

enum {
    STACK_BYTES = 256 * 1024,
    START_SECONDS = 5, /* that http_start waits for the thread */
    RETRY_MS = 1000,
    REOPENED_MAX = 100, /* each time leaves a little memory behind */
};

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
};

struct server {
    struct http_config config; /* strings are ours */
    struct address address;
    struct descriptors descriptors;
    struct routes routes;
    struct endpoint endpoint;
    pthread_t thread;
    jmp_buf broken; /* out of libmicrohttpd, valid while is_serving */
    bool is_serving;
    uint64_t periodic_ns; /* when config.periodic is due; UINT64_MAX: never */
    sem_t is_started;
    atomic_int start_error; /* valid once is_started was posted */
};

static struct server server;

static void log_arguments(enum log_level level, const char *format, va_list arguments)
{
    char text[1024];

    if (!server.config.log)
        return;
    vsnprintf(text, sizeof(text), format, arguments);
    server.config.log((int)level, text);
}

/* From any thread of the program. */
__attribute__((format(printf, 2, 3))) static void log_from_program(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_arguments(level, format, arguments);
    va_end(arguments);
}

/* From the server thread: its standard error is the program's for that time. */
__attribute__((format(printf, 2, 3))) static void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    descriptors_borrow_stderr(&server.descriptors);
    va_start(arguments, format);
    log_arguments(level, format, arguments);
    va_end(arguments);
    descriptors_return_stderr(&server.descriptors);
}

/* The thread ------------------------------------------------------------------------------------------------------- */

/* What libmicrohttpd calls when it finds its world broken, and before it aborts: say, when the program closes a
 * descriptor of a shared table right now. The program must not end for that. */
static void leave_daemon(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    (void)file;
    (void)line;
    (void)reason;
    if (!pthread_equal(pthread_self(), server.thread))
        abort(); /* the program's own use of the library: as without us */
    while (!server.is_serving)
        pause(); /* there is nothing to go back to */
    longjmp(server.broken, 1);
}

/* Tells the log and the port file which address was bound. */
static void announce(void)
{
    char text[ADDRESS_TEXT_BYTES];
    int error = address_describe(server.endpoint.listen_fd, text);

    if (error) {
        log_line(LOG_WARN, "cannot tell which address was bound: %s", strerrordesc_np(-error));
        return;
    }
    if (strncmp(text, "unix:", 5) == 0)
        log_line(LOG_INFO, "listening on %s", text);
    else
        log_line(LOG_INFO, "listening on http://%s/metrics", text);
    error = server.config.port_file ? address_write_file(server.config.port_file, text) : 0;
    if (error)
        log_line(LOG_WARN, "cannot write the port file %s: %s", server.config.port_file, strerrordesc_np(-error));
}

/* The program's locale, whichever thread sets it, is neither asked nor changed. */
static void enter_thread(void)
{
    locale_t locale;

    if (server.config.enter_thread)
        server.config.enter_thread();
    prctl(PR_SET_NAME, "callmeter");
    locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (locale)
        uselocale(locale);
    descriptors_init(&server.descriptors);
}

static void schedule_periodic(void)
{
    server.periodic_ns = server.config.periodic && server.config.periodic_ms
                             ? routes_now_ns() + (uint64_t)server.config.periodic_ms * 1000000
                             : UINT64_MAX;
}

static void run_periodic(void)
{
    const char *text;

    if (routes_now_ns() < server.periodic_ns)
        return;
    text = server.config.periodic();
    if (text)
        log_line(LOG_WARN, "%s", text);
    schedule_periodic();
}

/* Returns when the endpoint is broken. */
static void serve(void)
{
    server.is_serving = true;
    if (setjmp(server.broken) == 0)
        while (endpoint_turn(&server.endpoint, server.periodic_ns) == 0)
            run_periodic();
    server.is_serving = false;
    endpoint_abandon(&server.endpoint);
    log_line(LOG_WARN, "the endpoint's descriptors were closed; opening it again");
}

/* Waits before the address is tried again. */
static void wait_to_retry(void)
{
    uint64_t due_ns = routes_now_ns() + (uint64_t)RETRY_MS * 1000000;

    for (uint64_t now_ns; (now_ns = routes_now_ns()) < due_ns; run_periodic()) {
        uint64_t until_ns = server.periodic_ns < due_ns ? server.periodic_ns : due_ns;

        if (until_ns > now_ns)
            poll(NULL, 0, (int)((until_ns - now_ns + 999999) / 1000000));
    }
}

static void open_again(void)
{
    while (endpoint_open(&server.endpoint) != 0)
        wait_to_retry();
    announce();
}

/* The process ends when its last thread does (pthread_exit(3)), whichever that is: glibc keeps the number, and shows it
 * to debuggers. This thread is not to count, or a program whose first thread leaves would never end. -1 while it runs,
 * +1 before it returns. */
static void count_thread(int change)
{
    atomic_int *threads = dlvsym(RTLD_DEFAULT, "__nptl_nthreads", "GLIBC_PRIVATE");

    if (threads)
        atomic_fetch_add(threads, change);
}

static void run_endpoint(void)
{
    int error;

    schedule_periodic();
    MHD_set_panic_func(leave_daemon, NULL);
    endpoint_init(&server.endpoint, &server.address, &server.descriptors, &server.routes);
    error = endpoint_open(&server.endpoint);
    if (!error)
        announce();
    server.start_error = error;
    sem_post(&server.is_started);
    if (error && error != -EADDRINUSE)
        return;
    if (error)
        open_again();
    for (int i = 0; i < REOPENED_MAX; i++) {
        serve();
        open_again();
    }
    serve();
    log_line(LOG_ERROR, "the endpoint was broken too often, and stays closed");
}

static void *run(void *context)
{
    (void)context;
    enter_thread();
    count_thread(-1);
    run_endpoint();
    count_thread(1);
    return NULL;
}

/* Start ------------------------------------------------------------------------------------------------------------ */

/* pthread_create, with every signal blocked in the new thread from its first instruction. Takes a stack of the usual
 * size where the program's thread-local variables do not fit in a small one. */
static int create_thread(void)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t old;
    int error = pthread_attr_init(&attributes);

    if (error)
        return -error;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&server.thread, &attributes, run, NULL);
    if (error == EINVAL)
        error = pthread_create(&server.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

/* Waits until the thread has bound the address; not for ever: should it need a lock of the loader that our caller
 * holds, it goes on when we have returned. */
static int wait_for_thread(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += START_SECONDS;
    while (sem_clockwait(&server.is_started, CLOCK_MONOTONIC, &deadline) != 0)
        if (errno != EINTR) {
            pthread_detach(server.thread);
            return 0;
        }
    if (server.start_error && server.start_error != -EADDRINUSE)
        pthread_join(server.thread, NULL);
    else
        pthread_detach(server.thread);
    return server.start_error;
}

/* The path as it is now: the program may change its directory before the file is written. */
static char *absolute_path(const char *path)
{
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *absolute = NULL;

    if (!folder)
        return strdup(path);
    if (asprintf(&absolute, "%s/%s", folder, path) < 0)
        absolute = NULL;
    free(folder);
    return absolute;
}

static int copy_config(const struct http_config *config)
{
    server.config = *config;
    server.config.listen = strdup(config->listen);
    server.config.version = strdup(config->version);
    server.config.revision = strdup(config->revision);
    server.config.port_file = config->port_file ? absolute_path(config->port_file) : NULL;
    server.config.panics = config->panics ? strdup(config->panics) : NULL;
    if (!server.config.listen || !server.config.version || !server.config.revision ||
        (config->panics && !server.config.panics) ||
        (config->port_file && !server.config.port_file))
        return -ENOMEM;
    return 0;
}

static void free_config(void)
{
    free((void *)(uintptr_t)server.config.listen);
    free((void *)(uintptr_t)server.config.version);
    free((void *)(uintptr_t)server.config.revision);
    free((void *)(uintptr_t)server.config.port_file);
    free((void *)(uintptr_t)server.config.panics);
}

static int start(const struct http_config *config)
{
    int error = copy_config(config);

    if (!error && sem_init(&server.is_started, 0, 0) != 0)
        error = -errno;
    routes_init(&server.routes, &server.config);
    if (!error)
        error = create_thread();
    if (!error)
        error = wait_for_thread();
    if (error && error != -EADDRINUSE)
        free_config();
    return error;
}

int http_start(const struct http_config *config, char *text, size_t text_bytes)
{
    int error = address_parse(config->listen, &server.address, text, text_bytes);

    if (error)
        return error;
    error = start(config);
    if (error && error != -EADDRINUSE) {
        snprintf(text, text_bytes, "cannot listen on %s: %s", config->listen, strerrordesc_np(-error));
        return error;
    }
    if (error)
        log_from_program(LOG_WARN, "the address %s is taken; trying again every second", config->listen);
    if (!server.address.is_local)
        log_from_program(LOG_WARN, "whoever can reach %s can read the metrics: there is no authentication",
                         config->listen);
    return 0;
}
