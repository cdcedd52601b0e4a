#include "server/http/serving.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/http/config.h"
#include "server/http/wake.h"

enum {
    TURN_MS = 1000,     /* of one who serves, at most */
    WAIT_MS = 5000,     /* of one who waits: its process may be over */
    RETRY_MS = 1000,    /* until an address that is taken is tried again */
    RETRY_SOON_MS = 10, /* the same while its last holder may still be closing it, and so on twofold */
    PATIENCE_TRIES = 8, /* then it is somebody else's */
    LOOK_MS = 5,        /* until it is looked again whether a thread that ends is gone, */
    LOOKS_MAX = 100,    /* so often */
    REOPENED_MAX = 100, /* each time leaves a little memory behind */
};

static struct serving *served; /* for libmicrohttpd's panics, which have no context */

/* From the server thread: its standard error is the program's for that time. */
__attribute__((format(printf, 3, 4))) static void log_line(struct serving *serving, enum serving_log_level level,
                                                           const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (!serving->config->log)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    descriptors_borrow_stderr(&serving->descriptors);
    serving->config->log((int)level, text);
    descriptors_return_stderr(&serving->descriptors);
}

static bool is_to_stop(const struct serving *serving)
{
    return atomic_load(&serving->is_to_stop) || serving->likeness.is_lost;
}

/* Turns ------------------------------------------------------------------------------------------------------------ */

/* 0: it has left, or is not known. */
static uint32_t first_thread(const struct serving *serving)
{
    return serving->first_thread ? __atomic_load_n(serving->first_thread, __ATOMIC_RELAXED) : 0;
}

/* The program's last thread has left by the bare system call, which nobody sees. With this thread the process ends, and
 * Linux takes the status that the last one gives. To look takes a descriptor, which in a shared table is not taken in
 * vain. */
static void leave_if_over(const struct serving *serving)
{
    bool is_likely = serving->first_thread || serving->descriptors.is_separate;
    int status;

    if (is_likely && !first_thread(serving) && process_is_over(&status))
        syscall(SYS_exit, status);
}

static void schedule_periodic(struct serving *serving)
{
    unsigned milliseconds = serving->config->periodic_ms ? serving->config->periodic_ms : TURN_MS;

    serving->periodic_ns = routes_now_ns() + (uint64_t)milliseconds * 1000000;
}

static void run_periodic(struct serving *serving)
{
    const char *text;

    if (routes_now_ns() < serving->periodic_ns)
        return;
    leave_if_over(serving);
    text = serving->config->periodic ? serving->config->periodic() : NULL;
    if (text)
        log_line(serving, SERVING_LOG_WARN, "%s", text);
    schedule_periodic(serving);
}

/* Waits, with whatever is due meanwhile; not when the thread is to stop. */
static void nap(struct serving *serving, unsigned milliseconds)
{
    uint64_t due_ns = routes_now_ns() + (uint64_t)milliseconds * 1000000;

    while (routes_now_ns() < due_ns && !is_to_stop(serving)) {
        endpoint_rest(&serving->endpoint, serving->periodic_ns < due_ns ? serving->periodic_ns : due_ns);
        run_periodic(serving);
    }
}

/* The endpoint ----------------------------------------------------------------------------------------------------- */

/* What libmicrohttpd calls when it finds its world broken, and before it aborts: say, when the program closes a
 * descriptor of a shared table right now. The program must not end for that. */
static void leave_daemon(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    (void)file;
    (void)line;
    (void)reason;
    if (!pthread_equal(pthread_self(), served->thread))
        abort(); /* the program's own use of the library: as without us */
    while (!served->is_serving)
        pause(); /* there is nothing to go back to */
    longjmp(served->broken, 1);
}

static void write_port_file(struct serving *serving, const char *text)
{
    const char *path = serving->config->port_file;
    int error = path ? address_write_file(path, text) : 0;

    if (error)
        log_line(serving, SERVING_LOG_WARN, "cannot write the port file %s: %s", path, strerrordesc_np(-error));
}

/* Tells the log which address was bound and, if it is the first time, the port file and those who come later. */
static void announce(struct serving *serving)
{
    struct address bound;
    char text[ADDRESS_TEXT_BYTES];
    int error = address_describe(serving->endpoint.listen_fd, text);

    if (error) {
        log_line(serving, SERVING_LOG_WARN, "cannot tell which address was bound: %s", strerrordesc_np(-error));
        return;
    }
    if (strncmp(text, "unix:", 5) == 0)
        log_line(serving, SERVING_LOG_INFO, "listening on %s", text);
    else
        log_line(serving, SERVING_LOG_INFO, "listening on http://%s/metrics", text);
    if (serving->config->bound)
        serving->config->bound(text);
    if (election_address(&serving->election, &bound))
        return;
    if (address_bound(serving->endpoint.listen_fd, &bound) == 0) {
        election_set_address(&serving->election, &bound);
        serving->address = bound;
    }
    write_port_file(serving, text);
}

/* Only the first one has somebody who waits to hear. */
static void report_start(struct serving *serving, int error)
{
    if (!serving->is_first)
        return;
    serving->is_first = false;
    atomic_store(&serving->start_error, error);
    sem_post(&serving->is_started);
}

/* The holder before may not have closed its socket yet: the lock is given up first. */
static unsigned retry_ms(struct serving *serving, unsigned tries)
{
    if (tries == PATIENCE_TRIES && election_may_warn(&serving->election))
        log_line(serving, SERVING_LOG_WARN, "the address %s is taken; trying again every second",
                 serving->config->listen);
    return tries < PATIENCE_TRIES - 1 ? (unsigned)RETRY_SOON_MS << tries : RETRY_MS;
}

/* Binds the address, however long it is taken. Another error means that this process cannot; -ECANCELED: it is to stop
 * before it could. */
static int open_endpoint(struct serving *serving)
{
    int error = endpoint_open(&serving->endpoint);

    if (!error)
        announce(serving);
    report_start(serving, error);
    for (unsigned tries = 0; error == -EADDRINUSE; tries++) {
        nap(serving, retry_ms(serving, tries));
        if (is_to_stop(serving))
            return -ECANCELED;
        error = endpoint_open(&serving->endpoint);
        if (!error)
            announce(serving);
    }
    return error;
}

/* Returns false when the endpoint is broken. */
static bool serve(struct serving *serving)
{
    serving->is_serving = true;
    if (setjmp(serving->broken) == 0)
        while (!is_to_stop(serving) && endpoint_turn(&serving->endpoint, serving->periodic_ns) == 0)
            run_periodic(serving);
    serving->is_serving = false;
    if (is_to_stop(serving))
        return true;
    endpoint_abandon(&serving->endpoint);
    log_line(serving, SERVING_LOG_WARN, "the endpoint's descriptors were closed; opening it again");
    return false;
}

/* Serves until the thread is to stop (0), or this process cannot serve. */
static int hold_office(struct serving *serving)
{
    int error = 0;

    for (int i = 0; i <= REOPENED_MAX && !error; i++) {
        error = open_endpoint(serving);
        if (!error && serve(serving)) {
            endpoint_close(&serving->endpoint);
            return 0;
        }
    }
    if (!error)
        log_line(serving, SERVING_LOG_ERROR, "the endpoint was broken too often, and stays closed");
    return error ? error : -EBADF;
}

/* The thread ------------------------------------------------------------------------------------------------------- */

/* The program's locale, whichever thread sets it, is neither asked nor changed. */
static void enter_thread(struct serving *serving)
{
    if (serving->config->enter_thread)
        serving->config->enter_thread();
    atomic_store(&serving->thread_id, gettid());
    prctl(PR_SET_NAME, "callmeter");
    if (serving->locale)
        uselocale(serving->locale);
    descriptors_init(&serving->descriptors, serving->config->is_table_shared);
    likeness_begin(&serving->likeness, serving->descriptors.is_separate);
}

/* Only in a table of its own: there nobody can mistake it for anything else. */
static void open_wake_fd(struct serving *serving)
{
    sigset_t wake;

    if (!serving->descriptors.is_separate || serving->endpoint.wake_fd >= 0)
        return;
    sigemptyset(&wake);
    sigaddset(&wake, WAKE_SIGNAL);
    serving->endpoint.wake_fd = signalfd(-1, &wake, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What the first start need not do. */
static void take_over(struct serving *serving)
{
    struct address bound;

    if (election_address(&serving->election, &bound))
        serving->address = bound;
    if (serving->config->take_over)
        serving->config->take_over();
}

/* -errno: this process cannot serve, for now. */
static int be_elected(struct serving *serving)
{
    int error;

    descriptors_fill(&serving->descriptors);
    open_wake_fd(serving);
    if (!serving->is_first)
        take_over(serving);
    schedule_periodic(serving);
    error = hold_office(serving);
    election_leave(&serving->election);
    serving->periodic_ns = UINT64_MAX;
    return error;
}

/* What somebody else can do perhaps. One warning, for all. */
static void tell_failure(struct serving *serving, int error)
{
    if (error != -ECANCELED && election_may_warn(&serving->election))
        log_line(serving, SERVING_LOG_WARN, "cannot listen on %s in this process: %s", serving->config->listen,
                 strerrordesc_np(-error));
}

/* Its number is taken away some time before the thread is gone. */
static unsigned patience_ms(struct serving *serving)
{
    if (!serving->first_thread || first_thread(serving) || serving->looks == LOOKS_MAX)
        return WAIT_MS;
    serving->looks++;
    return LOOK_MS;
}

static bool wait_for_election(struct serving *serving)
{
    unsigned patience = patience_ms(serving);
    enum election_turn turn;

    parking_begin(&serving->parking);
    turn = election_wait(&serving->election, patience, serving->first_thread, first_thread(serving),
                         (const uint32_t *)&serving->repeats.state);
    if (!parking_end(&serving->parking))
        endpoint_leave(&serving->endpoint);
    repeats_obey(&serving->repeats);
    endpoint_compare(&serving->endpoint);
    if (turn == ELECTION_LATER) {
        leave_if_over(serving);
        if (serving->config->waited)
            serving->config->waited();
    }
    return turn == ELECTION_WON;
}

static void take_part(struct serving *serving)
{
    bool was_first = serving->is_first;
    int error;

    while (!is_to_stop(serving)) {
        if (!wait_for_election(serving))
            continue;
        error = be_elected(serving);
        if (error == -EBADF || (was_first && error && error == atomic_load(&serving->start_error)))
            return; /* the log was told, or http_start's caller */
        if (error)
            tell_failure(serving, error);
        if (!is_to_stop(serving))
            nap(serving, RETRY_MS);
    }
}

/* By itself. Whoever makes threads for us learns it when the program calls next. */
static void leave_unlike(struct serving *serving)
{
    if (!atomic_load(&serving->is_to_stop))
        log_line(
            serving, SERVING_LOG_WARN,
            "the program has changed what its thread may or sees, by a way that is not seen: the endpoint's thread "
            "ends, which did not change with it");
    atomic_store(&serving->has_left, true);
}

void serving_run(struct serving *serving)
{
    enter_thread(serving);
    serving->periodic_ns = UINT64_MAX;
    endpoint_init(&serving->endpoint, &serving->address, &serving->descriptors, &serving->routes, &serving->parking,
                  &serving->repeats, &serving->likeness);
    MHD_set_panic_func(leave_daemon, NULL);
    if (election_join(&serving->election) == 0 || serving->is_first) /* the first serves, if nobody can follow it */
        take_part(serving);
    if (serving->likeness.is_lost)
        leave_unlike(serving);
    if (serving->endpoint.wake_fd >= 0)
        close(serving->endpoint.wake_fd);
    if (serving->config->leave_thread)
        serving->config->leave_thread();
    if (parking_is_left(&serving->parking))
        endpoint_leave(&serving->endpoint);
}

/* Only the program's first thread, whose memory is never unmapped; in children too, if it was that one which forked. */
static void watch_first_thread(struct serving *serving)
{
    const uint32_t *thread = NULL;

    prctl(PR_GET_TID_ADDRESS, &thread);
    if (serving->is_first)
        serving->initial_thread = thread;
    serving->first_thread = thread == serving->initial_thread ? thread : NULL;
}

void serving_begin(struct serving *serving, bool is_first)
{
    served = serving;
    serving->is_first = is_first;
    atomic_store(&serving->is_to_stop, false);
    atomic_store(&serving->thread_id, 0);
    parking_init(&serving->parking);
    repeats_init(&serving->repeats);
    serving->likeness.is_lost = false;
    atomic_store(&serving->has_left, false);
    serving->is_serving = false;
    serving->looks = 0;
    watch_first_thread(serving);
    routes_init(&serving->routes, serving->config, election_shared(&serving->election));
}

void serving_stop(struct serving *serving, bool is_tidy)
{
    int thread_id = atomic_load(&serving->thread_id);

    atomic_store(&serving->is_to_stop, true);
    if (!is_tidy)
        parking_leave(&serving->parking);
    election_wake(&serving->election);
    if (thread_id)
        syscall(SYS_tgkill, getpid(), thread_id, WAKE_SIGNAL);
}
