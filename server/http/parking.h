/* A place where the server thread waits, and can be kept. Private to the endpoint.
 *
 * Where the server thread waits it holds no lock: neither libc's, nor an allocator's, nor any of its own. The program's
 * thread that forks keeps it there for that moment, so that the child gets no lock whose holder is not there; as it
 * would be without us. */
#ifndef CALLMETER_SERVER_HTTP_PARKING_H
#define CALLMETER_SERVER_HTTP_PARKING_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct parking {
    _Atomic uint32_t state; /* PARKING_AWAKE, or PARKING_PARKED and on top of it how many hold it */
    _Atomic uint32_t is_waiting;
    _Atomic uint32_t is_left; /* the server thread is to end here and now, without a word to libc */
};

enum {
    PARKING_AWAKE,
    PARKING_PARKED,
};

static inline void parking_init(struct parking *parking)
{
    atomic_store(&parking->state, PARKING_AWAKE);
    atomic_store(&parking->is_waiting, 0);
    atomic_store(&parking->is_left, 0);
}

/* The server thread, around a system call that waits. */
static inline void parking_begin(struct parking *parking)
{
    atomic_store(&parking->state, PARKING_PARKED);
}

static inline bool parking_is_left(const struct parking *parking)
{
    return atomic_load(&parking->is_left);
}

/* False: the thread is to end, though it may still be held. */
static inline bool parking_end(struct parking *parking)
{
    uint32_t state = PARKING_PARKED;

    while (!parking_is_left(parking) && !atomic_compare_exchange_strong(&parking->state, &state, PARKING_AWAKE)) {
        atomic_store(&parking->is_waiting, 1);
        syscall(SYS_futex, &parking->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
        state = PARKING_PARKED;
    }
    atomic_store(&parking->is_waiting, 0);
    return !parking_is_left(parking);
}

/* Any other thread: ends the wait for those who hold it; more than once, for it may be just about to wait. */
static inline void parking_leave(struct parking *parking)
{
    atomic_store(&parking->is_left, 1);
    if (atomic_load(&parking->is_waiting))
        syscall(SYS_futex, &parking->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Any other thread, more than once if need be. False: the server thread is at work, or waits to be let go already:
 * threads that fork all the time would never let it go. `anyhow`: also then, for who may have it in hold itself. */
static inline bool parking_hold(struct parking *parking, bool anyhow)
{
    uint32_t state = atomic_load(&parking->state);

    if (!anyhow && atomic_load(&parking->is_waiting))
        return false;
    while (state >= PARKING_PARKED)
        if (atomic_compare_exchange_weak(&parking->state, &state, state + 1))
            return true;
    return false;
}

static inline void parking_let_go(struct parking *parking)
{
    atomic_fetch_sub(&parking->state, 1);
    if (atomic_load(&parking->is_waiting))
        syscall(SYS_futex, &parking->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
