/* Where the endpoint listens: parsed from text, bound, and told to others in a file. */
#ifndef CALLMETER_SERVER_HTTP_ADDRESS_H
#define CALLMETER_SERVER_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
    bool is_local;    /* only this machine can reach it */
    bool is_wildcard; /* `:port`: where the machine has no IPv6, IPv4 alone will do */
};

enum {
    ADDRESS_TEXT_BYTES = 256
};

/* Understands host:port (a name is resolved, `localhost` is 127.0.0.1), [v6]:port, :port (all addresses) and
 * unix:/path. -EINVAL: it is none of these, or the host is not known; `text` says why. Context: startup (may resolve a
 * name). */
int address_parse(const char *listen, struct address *ret_address, char *text, size_t text_bytes);

/* Makes a listening, non-blocking, close-on-exec socket. A Unix socket's file has mode 0600; a file that a dead server
 * left is replaced: one which refuses connections. -EADDRINUSE: somebody listens there; -EACCES: it is another user's;
 * -errno. Context: any thread. */
int address_listen(const struct address *address, int *ret_fd);

/* The address that a listening socket is bound to, for others to bind it again. -errno. */
int address_bound(int fd, struct address *ret_address);

/* The same as text, as address_parse understands it, e.g. 127.0.0.1:41017. -errno. */
int address_describe(int fd, char text[ADDRESS_TEXT_BYTES]);

/* Writes `content` and a newline to a file, under another name in the same folder first, so that no reader ever sees
 * half of it. -errno; -EEXIST: the path is something other than a regular file. Context: any thread. */
int address_write_file(const char *path, const char *content);

#endif
