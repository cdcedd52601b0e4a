/* The server thread: how it is made, and ended.
 *
 *   http_start                              server thread (serving.c)
 *     parse the address
 *     block signals, make the thread  -->   descriptor table of its own
 *     wait                            <--   bound (or taken, or not possible)
 *                                           serve; or while the address is taken, try again
 *   http_resume, in a forked child
 *     make the thread                 -->   wait to be elected, then as above */
#include "server/http/http.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/http/config.h"
#include "server/http/serving.h"

enum {
    STACK_BYTES = 256 * 1024,
    START_SECONDS = 5, /* that http_start waits for the thread */
    PAUSE_TRIES = 100, /* that http_pause waits for it, */
    PAUSE_TRY_MS = 10, /* each so long */
    LEAVE_TRIES_PER_MS = 10,
    LEAVE_TRIES_PER_STOP = 100,
    GONE_TRIES = 10000, /* that it takes until the kernel has forgotten it */
};

static struct http_config config; /* strings are ours */
static struct serving server = {.config = &config};
static pid_t unjoined_process;   /* whose thread was ended, and not joined; a child has nothing to join */
static atomic_int *libc_threads; /* how many there are, as glibc counts; NULL: not known */

/* From any thread of the program. */
__attribute__((format(printf, 2, 3))) static void log_from_program(enum serving_log_level level, const char *format,
                                                                   ...)
{
    char text[1024];
    va_list arguments;

    if (!config.log)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    config.log((int)level, text);
}

/* The thread ------------------------------------------------------------------------------------------------------- */

/* The process ends when its last thread does (pthread_exit(3)), whichever that is: glibc keeps the number, and shows it
 * to debuggers. This thread is not to count, or a program whose first thread leaves would never end. -1 while it runs,
 * +1 before it returns. */
static void count_thread(int change)
{
    if (libc_threads)
        atomic_fetch_add(libc_threads, change);
}

static void *run(void *context)
{
    (void)context;
    serving_run(&server);
    count_thread(1);
    return NULL;
}

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
    if (!error)
        count_thread(-1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

static bool is_joined(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_nsec += PAUSE_TRY_MS * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    return pthread_clockjoin_np(server.thread, NULL, CLOCK_MONOTONIC, &deadline) == 0;
}

/* The join returns a little before the kernel counts one thread less. */
static bool is_gone(int thread_id)
{
    for (int i = 0; i < GONE_TRIES; i++) {
        if (syscall(SYS_tgkill, getpid(), thread_id, 0) != 0)
            return true;
        sched_yield();
    }
    return false;
}

static bool pause_tidily(void)
{
    bool is_ended = false;
    int state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    for (int i = 0; i < PAUSE_TRIES && !is_ended; i++) {
        serving_stop(&server, true); /* again: it may have been just about to wait */
        is_ended = is_joined();
    }
    pthread_setcancelstate(state, NULL);
    unjoined_process = is_ended ? 0 : getpid();
    return is_ended && is_gone(atomic_load(&server.thread_id));
}

/* Its number is not known before it runs. */
static bool has_left(void)
{
    int thread_id = atomic_load(&server.thread_id);

    return thread_id != 0 && syscall(SYS_tgkill, getpid(), thread_id, 0) != 0;
}

/* pthread_join frees memory, which may be in the hands of the code that the caller has interrupted. */
static bool pause_anyhow(void)
{
    unjoined_process = getpid();
    for (int i = 0; i < PAUSE_TRIES * PAUSE_TRY_MS * LEAVE_TRIES_PER_MS; i++) {
        struct timespec span = {.tv_nsec = 1000000 / LEAVE_TRIES_PER_MS};

        if (i % LEAVE_TRIES_PER_STOP == 0)
            serving_stop(&server, false);
        if (has_left())
            return true;
        syscall(SYS_nanosleep, &span, NULL);
    }
    return false;
}

bool http_pause(bool is_tidy)
{
    return is_tidy ? pause_tidily() : pause_anyhow();
}

/* What http_pause could not clear away. */
static bool is_cleared(void)
{
    if (unjoined_process != getpid())
        return true;
    if (!has_left() || !is_joined())
        return false;
    unjoined_process = 0;
    return true;
}

bool http_has_left(void)
{
    return atomic_load(&server.has_left);
}

int http_resume(void)
{
    if (http_has_left())
        unjoined_process = getpid();
    if (!is_cleared())
        return -EBUSY;
    serving_begin(&server, false);
    return create_thread();
}

bool http_repeat(long number, const long *arguments)
{
    return repeats_ask(&server.repeats, atomic_load(&server.thread_id), number, arguments);
}

bool http_hold(bool anyhow)
{
    return parking_hold(&server.parking, anyhow);
}

void http_let_go(void)
{
    parking_let_go(&server.parking);
}

void http_forked(void)
{
    unjoined_process = 0;
    atomic_store(&server.has_left, false);
    if (server.endpoint.descriptors)
        endpoint_close_copies(&server.endpoint);
}

/* Start ------------------------------------------------------------------------------------------------------------ */

/* Waits until the thread has bound the address; not for ever: should it need a lock of the loader that our caller
 * holds, it goes on when we have returned. */
static int wait_for_thread(void)
{
    struct timespec deadline;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += START_SECONDS;
    while (sem_clockwait(&server.is_started, CLOCK_MONOTONIC, &deadline) != 0)
        if (errno != EINTR)
            return 0;
    error = atomic_load(&server.start_error);
    if (error && error != -EADDRINUSE)
        pthread_join(server.thread, NULL);
    return error;
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

static int copy_config(const struct http_config *given)
{
    config = *given;
    config.listen = strdup(given->listen);
    config.version = strdup(given->version);
    config.revision = strdup(given->revision);
    config.port_file = given->port_file ? absolute_path(given->port_file) : NULL;
    config.panics = given->panics ? strdup(given->panics) : NULL;
    if (!config.listen || !config.version || !config.revision || (given->panics && !config.panics) ||
        (given->port_file && !config.port_file))
        return -ENOMEM;
    return 0;
}

static void free_config(void)
{
    free((void *)(uintptr_t)config.listen);
    free((void *)(uintptr_t)config.version);
    free((void *)(uintptr_t)config.revision);
    free((void *)(uintptr_t)config.port_file);
    free((void *)(uintptr_t)config.panics);
}

static int start(const struct http_config *given)
{
    int error = copy_config(given);

    libc_threads = dlvsym(RTLD_DEFAULT, "__nptl_nthreads", "GLIBC_PRIVATE");
    server.locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (!error && sem_init(&server.is_started, 0, 0) != 0)
        error = -errno;
    if (!error)
        error = election_init(&server.election, sizeof(struct routes_tally));
    if (!error)
        serving_begin(&server, true);
    if (!error)
        error = create_thread();
    if (!error)
        error = wait_for_thread();
    if (error && error != -EADDRINUSE)
        free_config();
    return error;
}

int http_start(const struct http_config *given, char *text, size_t text_bytes)
{
    int error = address_parse(given->listen, &server.address, text, text_bytes);
    bool is_local = server.address.is_local;

    if (error)
        return error;
    error = start(given);
    if (error && error != -EADDRINUSE) {
        snprintf(text, text_bytes, "cannot listen on %s: %s", given->listen, strerrordesc_np(-error));
        return error;
    }
    if (error && election_may_warn(&server.election))
        log_from_program(SERVING_LOG_WARN, "the address %s is taken; trying again every second", given->listen);
    if (!is_local)
        log_from_program(SERVING_LOG_WARN, "whoever can reach %s can read the metrics: there is no authentication",
                         given->listen);
    return 0;
}
