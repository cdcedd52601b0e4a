/* The listening socket, its connections, and libmicrohttpd's daemon which speaks HTTP on them: one turn at a time. */
#ifndef CALLMETER_SERVER_ENDPOINT_H
#define CALLMETER_SERVER_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "server/routes.h"

struct address;
struct descriptors;

enum {
    ENDPOINT_CONNECTIONS = 16
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
    struct MHD_Daemon *daemon;
    int epoll_fd;              /* the daemon's */
    int listen_fd;             /* -1: the endpoint is closed, and there is no daemon */
    struct stat listen_status; /* which socket listen_fd is */
    uint64_t resume_ns;        /* accept no earlier */
    struct endpoint_connection connections[ENDPOINT_CONNECTIONS];
};

/* The arguments stay the caller's, and must live on. Context of all here: server thread. */
void endpoint_init(struct endpoint *endpoint, const struct address *address, const struct descriptors *descriptors,
                   struct routes *routes);

/* Binds the address. -EADDRINUSE: somebody listens there; else -errno. */
int endpoint_open(struct endpoint *endpoint);

/* Waits until something is to be done, and does it; not beyond due_ns (routes_now_ns). -EBADF: the program has closed
 * or replaced one of our descriptors, which is possible only where the table is shared: endpoint_abandon is to follow.
 */
int endpoint_turn(struct endpoint *endpoint, uint64_t due_ns);

/* Closes the endpoint without touching what may be the program's: the daemon, and descriptors in a shared table, are
 * forgotten. It may be opened again. */
void endpoint_abandon(struct endpoint *endpoint);

#endif
