/* A server in a process of its own and a client on bare sockets, for the tests of the endpoint. */
#ifndef CALLMETER_TESTS_HTTP_CLIENT_H
#define CALLMETER_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server_options {
    const char *listen;      /* default 127.0.0.1:0 */
    uint32_t functions;      /* with ten buckets each; default 1 */
    bool is_table_shared;    /* a seccomp filter keeps the server thread from a descriptor table of its own */
    bool is_getfd_forbidden; /* one keeps it from pidfd_getfd */
    const char *relative_port_file;
    bool is_starting;     /* the time at which it is ready has not come */
    bool is_tainted;      /* a panic was turned into a return */
    unsigned periodic_ms; /* a function is called that often; 0: none is given */
};

enum {
    SERVER_CALL_AGE_SECONDS = 3 /* when function_0 was called last, before any scrape */
};

/* A process that has called http_start and waits for commands. */
struct server_process {
    pid_t pid;
    int control;
    int error;         /* of http_start */
    char text[512];    /* of http_start */
    char folder[64];   /* of files, made for this server */
    char address[128]; /* as the port file says; "" before that */
    char log[128];     /* path of what it logged */
};

/* Does not return before http_start has. Fails the test if that takes too long. */
void server_start(struct server_process *server, const struct server_options *options);

/* Waits until the port file is there, and reads it. */
void server_wait_address(struct server_process *server);

/* In the process: 'c' closes all descriptors but standard ones and the control socket, and takes the lowest numbers
 * for files of its own; 'f' forks a child that lives until the server is stopped; 't' sets TZ and reads the local time,
 * and logs "TZ is heeded" if that was so; 'p' waits until the periodic function has been called some more times.
 * Returns when it is done. */
void server_command(struct server_process *server, char command);

/* Kills it at once, leaving its children and files. */
void server_kill(struct server_process *server);

/* Kills it if it lives, checks that it did live till then and that no sanitizer complained, and removes its files. */
void server_stop(struct server_process *server);

/* True if the log has the text. */
bool server_has_logged(const struct server_process *server, const char *text);

/* An answer, or several of one connection. The caller frees the bytes. */
struct http_answer {
    char *bytes;
    size_t count;
};

/* Connects; -1 if refused. All reads and writes of the socket end after ten seconds. */
int http_connect(const char *address);
void http_send(int fd, const char *text);

/* Reads until the server closes, and closes. */
void http_read_all(int fd, struct http_answer *ret_answer);

/* One request: "GET /metrics". */
void http_request(const char *address, const char *request, struct http_answer *ret_answer);

/* The status of an answer, 0 if it is none. */
int http_status(const struct http_answer *answer);

/* The value of a header of the first answer, cut at size; false if it is not there exactly once. */
bool http_header(const struct http_answer *answer, const char *name, char *value, size_t size);

/* What follows the first answer's header. */
const char *http_body(const struct http_answer *answer);

/* True once the condition holds; false if it does not for ten seconds. */
bool wait_until(bool (*holds)(void *context), void *context);

#endif
