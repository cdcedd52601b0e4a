/* The endpoint: a background thread that serves the segment over HTTP. The only interface of the http module.
 *
 * A process has one such thread at most. Of all the processes that share the segment one serves, and the threads of the
 * others wait to follow it (election.h). */
#ifndef CALLMETER_SERVER_HTTP_HTTP_H
#define CALLMETER_SERVER_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment_header;

/* What the endpoint needs of its host. Strings are copied. The server thread has a table of file descriptors of its own
 * (see descriptors.h), where Linux lets it: in the functions below the program's descriptors are not there, but for
 * standard error during `log`. */
struct http_config {
    const struct segment_header *segment; /* mapped for the rest of the process's life */
    const char *listen;                   /* host:port, [v6]:port, unix:/path; port 0 picks one */
    const char *port_file;                /* or NULL: the address bound is written here, atomically */
    bool is_table_shared; /* the thread keeps the program's descriptors, and adds its own at high numbers */
    const char *panics;   /* folder of the reports of panics, absolute; or NULL */
    const char *version;
    const char *revision;
    double start_time; /* Unix time at which the process was instrumented; ready from then on */
    /* Called on the server thread, first thing, before any other call: keeps the thread's own calls out of the numbers.
     */
    void (*enter_thread)(void);
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

/* Starts the thread with every signal blocked; enter_thread may let in faults of its own. The address is bound before
 * it returns, or, if it is taken, retried by the thread (one warning). -EINVAL: the address cannot be parsed; -errno:
 * no thread, or the address cannot be bound for another reason than that it is taken. `text` says why. Context:
 * startup. Called once, in the process that is the first. */
int http_start(const struct http_config *config, char *text, size_t text_bytes);

/* In a forked child of a process that had called http_start, on its only thread or where there is no doubt that libc is
 * in order: starts a thread which follows the others. Likewise after http_pause. -errno: there is none. */
int http_resume(void);

/* Ends the thread of this process, and returns when it is gone for the kernel too; false: it is not. Others may serve
 * then. Context: any thread of the program, not in a signal handler. */
bool http_pause(void);

/* Keeps the thread where it waits until http_let_go; meanwhile it holds no lock. May be called anew before that. False:
 * it is at work right now, or, unless `anyhow`, has work to do as soon as somebody else lets it go. Calls nothing of
 * libc. Context: any thread of the program, where the thread was started. */
bool http_hold(bool anyhow);
void http_let_go(void);

/* In a forked child: no copy of a descriptor that is the parent's stays open. Context: pthread_atfork child handler. */
void http_forked(void);

/* The above, for those who load the module. */
struct http_calls {
    int (*start)(const struct http_config *config, char *text, size_t text_bytes);
    int (*resume)(void);
    bool (*pause)(void);
    bool (*hold)(bool anyhow);
    void (*let_go)(void);
    void (*forked)(void);
};

#endif
