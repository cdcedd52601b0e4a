/* The endpoint's event loop: poll -> MHD_run -> accept -> close what takes too long.
 *
 * libmicrohttpd runs without a thread and without a listening socket of its own; it is handed accepted connections, and
 * waits for them in an epoll set which is one descriptor of our poll. Such a set has the lowest number that is free: so
 * in a shared table it has none, and says of each connection what it waits for (select(2)'s sets). */
#include "server/http/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/http/address.h"
#include "server/http/descriptors.h"
#include "server/http/likeness.h"
#include "server/http/parking.h"
#include "server/http/places.h"
#include "server/http/repeats.h"

enum {
    IDLE_SECONDS = 10, /* without a byte from the client, or taken by it */
    LIKE_TRIES = 20,
    LIKE_TRY_NS = 1000000,
};

#define SECOND_NS  UINT64_C(1000000000)
#define RETRY_NS   SECOND_NS        /* where descriptors ran out */
#define CHECK_NS   (5 * SECOND_NS)  /* a shared table is looked at so often */
#define REQUEST_NS (30 * SECOND_NS) /* for a request's header, and again for its answer, however they drip */

/* Connections ------------------------------------------------------------------------------------------------------ */

static struct endpoint_connection *find_connection(struct endpoint *endpoint, int fd)
{
    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++)
        if (endpoint->connections[i].fd == fd)
            return &endpoint->connections[i];
    return NULL;
}

static struct endpoint_connection *oldest_connection(struct endpoint *endpoint)
{
    struct endpoint_connection *oldest = NULL;

    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++) {
        struct endpoint_connection *connection = &endpoint->connections[i];

        if (connection->fd >= 0 && (!oldest || connection->since_ns < oldest->since_ns))
            oldest = connection;
    }
    return oldest;
}

/* libmicrohttpd tells of a connection that it took or closed. */
static void notify_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct endpoint *endpoint = context;
    struct endpoint_connection *place = *socket_context;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info ? find_connection(endpoint, info->connect_fd) : NULL;
    } else if (place) {
        place->fd = -1;
        endpoint->resume_ns = 0;
    }
}

static void notify_completed(void *context, struct MHD_Connection *connection, void **request_context,
                             enum MHD_RequestTerminationCode code)
{
    struct endpoint *endpoint = context;
    struct endpoint_connection *place = *request_context;

    (void)connection;
    (void)code;
    if (!place)
        return;
    routes_completed(endpoint->routes, &place->request);
    place->request = (struct routes_request){0};
    place->since_ns = routes_now_ns();
}

static struct endpoint_connection *begin_request(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct endpoint_connection *place = info ? info->socket_context : NULL;

    if (!place)
        return NULL;
    place->request = (struct routes_request){0};
    place->since_ns = routes_now_ns();
    return place;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **request_context)
{
    struct endpoint *endpoint = context;
    struct endpoint_connection *place;

    (void)version;
    (void)upload;
    if (!*request_context)
        *request_context = begin_request(connection);
    place = *request_context;
    if (!place)
        return MHD_NO;
    return routes_answer(endpoint->routes, &place->request, connection, url, method, upload_bytes);
}

/* A new connection waits, and there is no place or no descriptor for it: another one goes, if it has been there for a
 * while; else the new one waits in the backlog. */
static void make_room(struct endpoint *endpoint)
{
    struct endpoint_connection *found = places_evictable(endpoint->connections);
    uint64_t now_ns = routes_now_ns();

    endpoint->resume_ns = found ? places_evictable_ns(found) : now_ns + RETRY_NS;
    if (!found || endpoint->resume_ns > now_ns)
        return;
    endpoint->resume_ns = now_ns + RETRY_NS; /* or as soon as libmicrohttpd has closed it: next turn */
    shutdown(found->fd, SHUT_RDWR);
}

static void add_connection(struct endpoint *endpoint, struct endpoint_connection *place, int fd,
                           const struct sockaddr_storage *peer, socklen_t length)
{
    place->fd = descriptors_raise(endpoint->descriptors, fd);
    place->since_ns = routes_now_ns();
    place->request = (struct routes_request){0};
    fstat(place->fd, &place->status);
    if (MHD_add_connection(endpoint->daemon, place->fd, (const void *)peer, length) != MHD_YES)
        place->fd = -1;
}

/* Accepts one connection; false if there is none or no place for it. */
static bool accept_connection(struct endpoint *endpoint)
{
    struct endpoint_connection *place = places_free(endpoint->connections, endpoint->descriptors->is_separate);
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    int fd;

    if (!place) {
        make_room(endpoint);
        return false;
    }
    fd = accept4(endpoint->listen_fd, (void *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        add_connection(endpoint, place, fd, &peer, length);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        make_room(endpoint);
    return errno == ECONNABORTED || errno == EINTR;
}

/* Ends requests that take too long; libmicrohttpd's own timeout begins anew with each byte. */
static void close_overdue(struct endpoint *endpoint)
{
    uint64_t now_ns = routes_now_ns();

    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++) {
        struct endpoint_connection *connection = &endpoint->connections[i];

        if (connection->fd < 0 || now_ns - connection->since_ns < REQUEST_NS)
            continue;
        shutdown(connection->fd, SHUT_RDWR);
        connection->since_ns = now_ns;
    }
}

/* Opening ---------------------------------------------------------------------------------------------------------- */

/* Is the number still that of the same file? */
static bool is_same(int fd, const struct stat *before)
{
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino;
}

static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return routes_unescape(text);
}

static int start_daemon(struct endpoint *endpoint)
{
    unsigned flags = endpoint->descriptors->is_separate ? MHD_USE_EPOLL : MHD_NO_FLAG;
    const union MHD_DaemonInfo *info;

    errno = 0;
    /* Its own Date header would make the libc read TZ: see numbers_format_http_date. */
    endpoint->daemon = MHD_start_daemon(
        flags | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, answer, endpoint,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)ENDPOINT_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, endpoint, MHD_OPTION_NOTIFY_COMPLETED,
        notify_completed, endpoint, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    if (!endpoint->daemon)
        return errno ? -errno : -ENOMEM;
    info = flags ? MHD_get_daemon_info(endpoint->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    endpoint->epoll_fd = info ? info->epoll_fd : -1;
    return 0;
}

void endpoint_init(struct endpoint *endpoint, const struct address *address, const struct descriptors *descriptors,
                   struct routes *routes, struct parking *parking, struct repeats *repeats, struct likeness *likeness)
{
    *endpoint = (struct endpoint){
        .address = address,
        .descriptors = descriptors,
        .routes = routes,
        .parking = parking,
        .repeats = repeats,
        .likeness = likeness,
        .epoll_fd = -1,
        .listen_fd = -1,
        .wake_fd = -1,
    };
    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++)
        endpoint->connections[i].fd = -1;
}

int endpoint_open(struct endpoint *endpoint)
{
    int fd = -1;
    int error = address_listen(endpoint->address, &fd);

    if (error)
        return error;
    endpoint->listen_fd = descriptors_raise(endpoint->descriptors, fd);
    endpoint->resume_ns = 0;
    fstat(endpoint->listen_fd, &endpoint->listen_status);
    error = start_daemon(endpoint);
    if (!error)
        return 0;
    if (is_same(endpoint->listen_fd, &endpoint->listen_status))
        close(endpoint->listen_fd);
    endpoint->listen_fd = -1;
    return error;
}

/* Turns ------------------------------------------------------------------------------------------------------------ */

/* Are our numbers still ours? In a shared table the program may have closed them, and opened files of its own under
 * them. */
static bool owns_descriptors(const struct endpoint *endpoint)
{
    if (endpoint->descriptors->is_separate)
        return true;
    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++)
        if (endpoint->connections[i].fd >= 0 && !is_same(endpoint->connections[i].fd, &endpoint->connections[i].status))
            return false;
    return is_same(endpoint->listen_fd, &endpoint->listen_status);
}

static void forget(struct endpoint *endpoint)
{
    int wake_fd = endpoint->wake_fd;

    endpoint->routes->pending_bytes = 0;
    endpoint_init(endpoint, endpoint->address, endpoint->descriptors, endpoint->routes, endpoint->parking,
                  endpoint->repeats, endpoint->likeness);
    endpoint->wake_fd = wake_fd;
}

static void close_if_same(int fd, const struct stat *before)
{
    if (fd >= 0 && is_same(fd, before))
        close(fd);
}

void endpoint_close_copies(struct endpoint *endpoint)
{
    if (endpoint->descriptors->is_separate || endpoint->listen_fd < 0)
        return;
    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++)
        close_if_same(endpoint->connections[i].fd, &endpoint->connections[i].status);
    close_if_same(endpoint->listen_fd, &endpoint->listen_status);
    endpoint->listen_fd = -1;
}

void endpoint_leave(struct endpoint *endpoint)
{
    endpoint_close_copies(endpoint);
    for (;;)
        syscall(SYS_exit, 0);
}

/* The daemon is left behind: in a shared table it would close numbers that may be anybody's by now. What is still ours
 * goes, the listening socket above all: it would keep the address from the next one. */
void endpoint_abandon(struct endpoint *endpoint)
{
    if (endpoint->descriptors->is_separate)
        close(endpoint->listen_fd);
    else
        endpoint_close_copies(endpoint);
    forget(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
    if (endpoint->listen_fd < 0)
        return;
    if (endpoint->descriptors->is_separate) {
        close(endpoint->listen_fd);
        MHD_stop_daemon(endpoint->daemon);
    } else {
        endpoint_close_copies(endpoint);
    }
    forget(endpoint);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* When a turn is due if no descriptor calls for one; UINT64_MAX: never. */
static uint64_t next_due_ns(struct endpoint *endpoint, uint64_t now_ns)
{
    const struct endpoint_connection *oldest = oldest_connection(endpoint);
    uint64_t due_ns = endpoint->descriptors->is_separate ? UINT64_MAX : now_ns + CHECK_NS;
    MHD_UNSIGNED_LONG_LONG daemon_ms;

    if (endpoint->resume_ns > now_ns)
        due_ns = earlier(due_ns, endpoint->resume_ns);
    if (oldest)
        due_ns = earlier(due_ns, oldest->since_ns + REQUEST_NS);
    if (MHD_get_timeout(endpoint->daemon, &daemon_ms) == MHD_YES)
        due_ns = earlier(due_ns, now_ns + daemon_ms * 1000000);
    return due_ns;
}

/* No signal comes to this thread while it waits: one for the process that all of the program's threads have blocked
 * would be in its hands when one of them lets it in. Faults of its own are let in only where it works. */
static void poll_quietly(struct pollfd *polls, nfds_t count, uint64_t due_ns, uint64_t now_ns)
{
    uint64_t ns = due_ns > now_ns ? due_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
    sigset_t all;

    sigfillset(&all);
    ppoll(polls, count, due_ns == UINT64_MAX ? NULL : &timeout, &all);
}

/* The program may be in the middle of a change that comes to this thread as well. */
static bool comes_to_be_like(struct endpoint *endpoint)
{
    const struct timespec span = {.tv_nsec = LIKE_TRY_NS};

    for (int i = 0; i < LIKE_TRIES; i++) {
        syscall(SYS_nanosleep, &span, NULL);
        repeats_obey(endpoint->repeats);
        if (likeness_holds_now(endpoint->likeness))
            return true;
    }
    return false;
}

void endpoint_compare(struct endpoint *endpoint)
{
    if (!likeness_holds(endpoint->likeness, routes_now_ns()) && !comes_to_be_like(endpoint))
        endpoint->likeness->is_lost = true;
}

/* The last of them is wake_fd. What it says is not taken from it but by repeats.c, since it may be meant for the
 * program: so that no wait ends at once for the same, it is left alone for a while. */
static void wait_for(struct endpoint *endpoint, struct pollfd *polls, nfds_t count, uint64_t due_ns, uint64_t now_ns)
{
    struct pollfd *wake = &polls[count - 1];

    *wake = (struct pollfd){.fd = endpoint->wake_ns > now_ns ? -1 : endpoint->wake_fd, .events = POLLIN};
    parking_begin(endpoint->parking);
    poll_quietly(polls, count, due_ns, now_ns);
    if (!parking_end(endpoint->parking))
        endpoint_leave(endpoint);
    if (!repeats_obey(endpoint->repeats) && wake->revents)
        endpoint->wake_ns = now_ns + RETRY_NS;
    endpoint_compare(endpoint);
}

void endpoint_rest(struct endpoint *endpoint, uint64_t due_ns)
{
    struct pollfd wake;

    wait_for(endpoint, &wake, 1, due_ns, routes_now_ns());
}

/* What the daemon waits for, in a shared table: behind the two that are there in any case. Returns how many there are.
 */
static nfds_t list_connections(struct endpoint *endpoint, struct pollfd *polls)
{
    fd_set sets[3];
    MHD_socket highest = MHD_INVALID_SOCKET;
    nfds_t count = 0;

    if (endpoint->descriptors->is_separate)
        return 0;
    for (int i = 0; i < 3; i++)
        FD_ZERO(&sets[i]);
    MHD_get_fdset2(endpoint->daemon, &sets[0], &sets[1], &sets[2], &highest, FD_SETSIZE);
    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++) {
        int fd = endpoint->connections[i].fd;
        bool is_listed = fd >= 0 && fd < FD_SETSIZE;
        short events = 0;

        if (is_listed && FD_ISSET(fd, &sets[0]))
            events |= POLLIN;
        if (is_listed && FD_ISSET(fd, &sets[1]))
            events |= POLLOUT;
        if (events)
            polls[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    return count;
}

static void run_daemon(struct endpoint *endpoint, const struct pollfd *polls, nfds_t count)
{
    fd_set sets[3];

    if (endpoint->descriptors->is_separate) {
        MHD_run(endpoint->daemon);
        return;
    }
    for (int i = 0; i < 3; i++)
        FD_ZERO(&sets[i]);
    for (nfds_t i = 0; i < count; i++) {
        if (polls[i].revents & ~POLLOUT)
            FD_SET(polls[i].fd, &sets[0]);
        if (polls[i].revents & ~POLLIN)
            FD_SET(polls[i].fd, &sets[1]);
    }
    MHD_run_from_select(endpoint->daemon, &sets[0], &sets[1], &sets[2]);
}

int endpoint_turn(struct endpoint *endpoint, uint64_t due_ns)
{
    uint64_t now_ns = routes_now_ns();
    struct pollfd polls[2 + ENDPOINT_CONNECTIONS + 1] = {
        {.fd = endpoint->resume_ns > now_ns ? -1 : endpoint->listen_fd, .events = POLLIN},
        {.fd = endpoint->epoll_fd, .events = POLLIN},
    };
    nfds_t count = list_connections(endpoint, polls + 2);

    wait_for(endpoint, polls, 2 + count + 1, earlier(due_ns, next_due_ns(endpoint, now_ns)), now_ns);
    if (endpoint->likeness->is_lost)
        return 0;
    if (!owns_descriptors(endpoint))
        return -EBADF;
    run_daemon(endpoint, polls + 2, count);
    if (polls[0].revents)
        while (accept_connection(endpoint))
            ;
    close_overdue(endpoint);
    return 0;
}
