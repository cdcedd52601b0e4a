/* Whether a request's Host header names this endpoint. A browser that was led here by a name of somebody else's (DNS
 * rebinding) says that name, and is not to read what only local tools may. Private to the endpoint. */
#ifndef CALLMETER_SERVER_HTTP_HOSTS_H
#define CALLMETER_SERVER_HTTP_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What is known of the endpoint. */
struct hosts {
    const struct sockaddr
        *local; /* the connection's own end: of a Unix socket, any host is right; of no family: it is not known */
    const char *listen;       /* as the manifest has it */
    const char *const *names; /* further ones (web.hosts), ended by NULL; NULL: none */
};

/* `host` is the header's value, with or without a port; NULL: there is none, as HTTP/1.0 may have it, and browsers do
 * not. True for the address that the client has reached, any address of this machine's loopback, `localhost` and names
 * below it, the name that is listened on, and the further ones; without regard to case, port, and a dot at the end.
 * Context: any. */
bool hosts_has(const struct hosts *hosts, const char *host);

#endif
