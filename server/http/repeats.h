/* System calls of the program's thread that the server thread makes after it. Private to the endpoint.
 *
 * Some change what the calling thread may, and no other one (setfsuid(2), capset(2), PR_SET_NO_NEW_PRIVS). A thread
 * that kept more rights than the program has would be a way back to them. Servers change theirs thousands of times a
 * second, so the server thread is not ended and made anew for it, but does the same. */
#ifndef CALLMETER_SERVER_HTTP_REPEATS_H
#define CALLMETER_SERVER_HTTP_REPEATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    REPEATS_ARGUMENTS = 5
};

struct repeats {
    _Atomic uint32_t state; /* a futex, on which the server thread waits too */
    long number;
    long arguments[REPEATS_ARGUMENTS];
};

/* The server thread waits on the state while it has this value. */
#define REPEATS_IDLE 0U

void repeats_init(struct repeats *repeats);

/* Has the server thread make the call, and waits until it has, but not long. False: it has not, or has failed in it: it
 * had better be ended. What the arguments point to is not touched any more in either case. Context: any, on the
 * program's only thread; nothing of libc's is called. */
bool repeats_ask(struct repeats *repeats, int thread_id, long number, const long *arguments);

/* Makes the call that was asked for; false: there is none. Context: server thread. */
bool repeats_obey(struct repeats *repeats);

#endif
