/* Fetches a page of a running endpoint, on bare sockets. */
#ifndef CALLMETER_PRELOAD_CLI_FETCH_H
#define CALLMETER_PRELOAD_CLI_FETCH_H

#include <stdbool.h>
#include <stddef.h>

struct diag;

/* True for what fetch takes, and no path of a folder is: http://host[:port][/...], host:port, unix:/path, or another
 * scheme, which it refuses. */
bool fetch_is_url(const char *text);

/* The body of `path` at the URL, whose own path is left aside; with a NUL behind it, the caller frees it. Nothing waits
 * for more than 10 seconds. -errno, -EPROTO if it is no answer, or not 200; the diag says what it is about. */
int fetch(const char *url, const char *path, char **ret_body, size_t *ret_bytes, struct diag *diag);

#endif
