/* The listening socket, its connections, and libmicrohttpd's daemon which speaks HTTP on them: one turn at a time.
 *
 * Private to the endpoint. */
#ifndef CALLMETER_SERVER_HTTP_ENDPOINT_H
#define CALLMETER_SERVER_HTTP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "server/http/routes.h"

struct address;
struct descriptors;
struct likeness;
struct parking;
struct repeats;

enum {
    ENDPOINT_CONNECTIONS = 128,       /* in a table of our own */
    ENDPOINT_CONNECTIONS_SHARED = 16, /* of the program's numbers */
};

struct endpoint_connection {
    int fd;             /* libmicrohttpd's, or -1: this place is free */
    struct stat status; /* which socket it is */
    uint64_t since_ns;  /* when it was accepted, or its last request began or ended */
    struct routes_request request;
};

struct endpoint {
    const struct address *address;
    const struct descriptors *descriptors;
    struct routes *routes;
    struct parking *parking;
    struct repeats *repeats;
    struct likeness *likeness;
    struct MHD_Daemon *daemon;
    int epoll_fd;              /* the daemon's; -1: it has none, in a shared table */
    int listen_fd;             /* -1: the endpoint is closed, and there is no daemon */
    struct stat listen_status; /* which socket listen_fd is */
    int wake_fd;               /* ends a wait early when it can be read; the caller's, or -1 */
    uint64_t wake_ns;          /* look at wake_fd no earlier */
    uint64_t resume_ns;        /* accept no earlier */
    struct endpoint_connection connections[ENDPOINT_CONNECTIONS];
};

/* The arguments stay the caller's, and must live on. Context of all here: server thread. */
void endpoint_init(struct endpoint *endpoint, const struct address *address, const struct descriptors *descriptors,
                   struct routes *routes, struct parking *parking, struct repeats *repeats, struct likeness *likeness);

/* Binds the address. -EADDRINUSE: somebody listens there; else -errno. */
int endpoint_open(struct endpoint *endpoint);

/* Waits until something is to be done, and does it; not beyond due_ns (routes_now_ns). -EBADF: the program has closed
 * or replaced one of our descriptors, which is possible only where the table is shared: endpoint_abandon is to follow.
 */
int endpoint_turn(struct endpoint *endpoint, uint64_t due_ns);

/* Looks whether the thread is like the program's yet (likeness.h). If it is lost, nothing is served any more. To be
 * called after each wait; the two functions here do. */
void endpoint_compare(struct endpoint *endpoint);

/* Waits without serving, not beyond due_ns. */
void endpoint_rest(struct endpoint *endpoint, uint64_t due_ns);

/* Closes the endpoint without touching what may be the program's: the daemon, and descriptors in a shared table that
 * are not ours any more, are forgotten. It may be opened again. */
void endpoint_abandon(struct endpoint *endpoint);

/* Closes the endpoint, and lets go of its memory where that can be done. */
void endpoint_close(struct endpoint *endpoint);

/* Ends the calling thread without a word to libc: where it waits, it has no lock, and the program may be anywhere in
 * libc. What is open is closed by the kernel, or here. */
void endpoint_leave(struct endpoint *endpoint) __attribute__((noreturn));

/* In a child of fork that was given copies of our descriptors, since the table was shared: closes those that are still
 * ours. The endpoint is the parent's, as it was. Context: pthread_atfork child handler. */
void endpoint_close_copies(struct endpoint *endpoint);

#endif
