/* The endpoint: a background thread that serves the segment over HTTP. The only interface of the http module.
 *
 * A process has one such thread at most. Of all the processes that share the segment one serves, and the threads of the
 * others wait to follow it (election.h). */
#ifndef CALLMETER_SERVER_HTTP_HTTP_H
#define CALLMETER_SERVER_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http_config;

/* Starts the thread with every signal blocked; enter_thread may let in faults of its own. The address is bound before
 * it returns, or, if it is taken, retried by the thread (one warning). -EINVAL: the address cannot be parsed; -errno:
 * no thread, or the address cannot be bound for another reason than that it is taken. `text` says why. Context:
 * startup. Called once, in the process that is the first. */
int http_start(const struct http_config *config, char *text, size_t text_bytes);

/* In a forked child of a process that had called http_start, on its only thread or where there is no doubt that libc is
 * in order: starts a thread which follows the others. Likewise after http_pause. -EBUSY: the one before is still there;
 * else -errno: there is none. */
int http_resume(void);

/* Ends the thread of this process, and returns when it is gone for the kernel too; false: it is not within a second,
 * but will be when it waits next. Others may serve then. Not `is_tidy`: nothing of libc is called, here or in the
 * thread, and what is left of it is cleared away by the next http_resume. Context: any thread of the program; tidy: not
 * in a signal handler. */
bool http_pause(bool is_tidy);

/* The thread has ended itself, since the program has changed what a thread may in a way that nobody sees. Context: any.
 */
bool http_has_left(void);

/* Has the thread make a system call that changes what a thread may, which the calling thread has just made; five
 * arguments. False: it could not in time, and is to be ended. Context: the program's only thread; any. */
bool http_repeat(long number, const long *arguments);

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
    bool (*pause)(bool is_tidy);
    bool (*has_left)(void);
    bool (*repeat)(long number, const long *arguments);
    bool (*hold)(bool anyhow);
    void (*let_go)(void);
    void (*forked)(void);
};

#endif
