/* What the endpoint is told by its host: the parts of this folder and who starts them read the same. */
#ifndef CALLMETER_SERVER_HTTP_CONFIG_H
#define CALLMETER_SERVER_HTTP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment_header;

/* What the endpoint needs of its host. Strings are copied. The server thread has a table of file descriptors of its own
 * (see descriptors.h), where Linux lets it: in the functions below the program's descriptors are not there, but for
 * standard error during `log`. */
struct http_config {
    const struct segment_header *segment; /* mapped for the rest of the process's life */
    uint64_t segment_bytes;               /* of the mapping: other processes write what the header says */
    const char *listen;                   /* host:port, [v6]:port, unix:/path; port 0 picks one */
    const char *port_file;                /* or NULL: the address bound is written here, atomically */
    bool is_table_shared;     /* the thread keeps the program's descriptors, and adds its own at high numbers */
    const char *panics;       /* folder of the reports of panics, absolute; or NULL */
    bool has_registers;       /* reports are served with registers and addresses, over TCP too */
    const char *const *hosts; /* further names of this endpoint (hosts.h), kept by the caller; or NULL */
    const char *version;
    const char *revision;
    double start_time; /* Unix time at which the process was instrumented; ready from then on */
    /* Called on the server thread, first thing, before any other call: keeps the thread's own calls out of the numbers.
     */
    void (*enter_thread)(void);
    void (*leave_thread)(void); /* the same, last thing; NULL: nothing is to be done */
    /* Called on the server thread when another process, or another thread of this one, has served before. NULL: nothing
     * is to be done. */
    void (*take_over)(void);
    /* Called on the server thread when the address was bound in this process, as it is in the port file. May be NULL.
     */
    void (*bound)(const char *address);
    /* Called on the server thread before each snapshot: gives back blocks of threads that are gone. */
    void (*before_snapshot)(void);
    /* Called on the server thread every few seconds while another process serves: gives back what threads of this one
     * had that are gone, which nobody else can. NULL: nothing is to be done. */
    void (*waited)(void);
    /* The ticks of the segment's moments, now. NULL: metrics that are Unix times are not shown. Server thread. */
    uint64_t (*now_ticks)(void);
    /* Called on the server thread every so many milliseconds, scraped or not, while the endpoint is open or waits for
     * its address. Returns a line for the log (a warning), or NULL. NULL or 0: never. */
    const char *(*periodic)(void);
    unsigned periodic_ms;
    /* For the names in reports, see panics.h. Server thread. */
    char *(*demangle)(const char *name, size_t length);
    /* Called from any thread; level 0 error, 1 warn, 2 info, 3 debug. One line, no newline. */
    void (*log)(int level, const char *text);
};

#endif
