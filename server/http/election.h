/* Which of the processes that share a segment serves it: the one whose server thread holds a lock in a page that all of
 * them inherit from the first.
 *
 * The lock is a futex on the kernel's robust list (Documentation/locking/robust-futexes.rst), so whichever way its
 * holder goes (exit, a signal, exec), the kernel gives it up and wakes the next one. A server thread uses no other
 * robust lock, so it may register a list of its own. */
#ifndef CALLMETER_SERVER_HTTP_ELECTION_H
#define CALLMETER_SERVER_HTTP_ELECTION_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/address.h"

struct election_page;

/* A thread's part. In static memory: the kernel reads it when the thread is gone. */
struct election {
    struct election_page *page;
    struct robust_list_head list;
    struct robust_list entry;
    uint32_t thread_id;
};

enum election_turn {
    ELECTION_WON,
    ELECTION_LATER, /* the time is up */
};

/* Makes the page, in the first process, with so many zeroed bytes for the holder's own use. -errno. Context: startup.
 */
int election_init(struct election *election, size_t bytes);

/* Those, the same for all processes; aligned for anything. */
void *election_shared(const struct election *election);

/* From here on the calling thread may take part. -errno: it cannot, since nobody would notice its death. Context:
 * server thread, first thing. */
int election_join(struct election *election);

/* Waits until this thread is the holder, but not longer than that; returns early when election_wake is called, when
 * *watched is woken or not `value`, or *asked, a word of this process, is woken or not 0 (both where Linux can: since
 * 5.16), or for no reason. `watched` may be NULL. Context: server thread. */
enum election_turn election_wait(struct election *election, unsigned milliseconds, const uint32_t *watched,
                                 uint32_t value, const uint32_t *asked);

/* Gives the lock to another one. The holder's. */
void election_leave(struct election *election);

/* All that wait return from election_wait, in all processes. Context: any thread. */
void election_wake(const struct election *election);

/* The address that the first holder bound: all others bind the same, though a port of 0 was asked for. The holder's;
 * election_set_address is for the first one. */
bool election_address(const struct election *election, struct address *ret_address);
void election_set_address(struct election *election, const struct address *address);

/* True for the first that asks, of all processes: one line in the log is enough for a trouble that all of them have. */
bool election_may_warn(struct election *election);

#endif
