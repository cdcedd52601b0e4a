#include "server/http/election.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SECOND_NS = 1000000000,
};

struct election_page {
    _Atomic uint32_t lock; /* as the kernel has it: the holder's thread id, FUTEX_WAITERS, FUTEX_OWNER_DIED */
    _Atomic uint32_t is_bound;
    _Atomic uint32_t has_warned;
    struct address address; /* valid once is_bound; then never changed */
    max_align_t shared[];
};

static long futex(const struct election *election, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, &election->page->lock, operation, value, timeout, NULL, 0);
}

int election_init(struct election *election, size_t bytes)
{
    struct election_page *page =
        mmap(NULL, sizeof(*page) + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -errno;
    election->page = page;
    return 0;
}

/* The lock is for ever the operation in progress, so its list is empty: at the thread's end the kernel gives it up if
 * this thread has it, and passes on a call that woke this thread and came to nothing. */
int election_join(struct election *election)
{
    election->thread_id = (uint32_t)gettid();
    election->list.list.next = &election->list.list;
    election->list.futex_offset = (char *)&election->page->lock - (char *)&election->entry;
    election->list.list_op_pending = &election->entry;
    return syscall(SYS_set_robust_list, &election->list, sizeof(election->list)) == 0 ? 0 : -errno;
}

/* Whoever holds the lock says that others wait, whether they do or not. So there is no moment at which the holder's
 * death would wake nobody. */
static bool try_to_win(struct election *election, uint32_t *seen)
{
    *seen = atomic_load(&election->page->lock);
    while ((*seen & FUTEX_TID_MASK) == 0)
        if (atomic_compare_exchange_weak(&election->page->lock, seen, election->thread_id | FUTEX_WAITERS))
            return true;
    return false;
}

static struct timespec time_in(const struct timespec *span)
{
    struct timespec due;

    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += span->tv_sec + (due.tv_nsec + span->tv_nsec) / SECOND_NS;
    due.tv_nsec = (due.tv_nsec + span->tv_nsec) % SECOND_NS;
    return due;
}

static void wait_for_all(struct election *election, uint32_t seen, unsigned milliseconds, const uint32_t *watched,
                         uint32_t value, const uint32_t *asked)
{
    const struct timespec span = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    const struct timespec due = time_in(&span);
    struct futex_waitv words[] = {
        {.val = seen, .uaddr = (uintptr_t)&election->page->lock, .flags = FUTEX_32},
        {.val = 0, .uaddr = (uintptr_t)asked, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
        {.val = value, .uaddr = (uintptr_t)watched, .flags = FUTEX_32},
    };
    bool is_woken = syscall(SYS_futex_waitv, words, watched ? 3 : 2, 0, &due, CLOCK_MONOTONIC) >= 0;
    int error = errno;

    /* The kernel wakes one when the thread is gone, and a pthread_join may wait for that as well. */
    if (watched && __atomic_load_n(watched, __ATOMIC_RELAXED) != value)
        syscall(SYS_futex, watched, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    if (is_woken)
        return;
    if (error != EAGAIN && error != ETIMEDOUT && error != EINTR)
        futex(election, FUTEX_WAIT, seen, &span);
}

enum election_turn election_wait(struct election *election, unsigned milliseconds, const uint32_t *watched,
                                 uint32_t value, const uint32_t *asked)
{
    uint32_t seen;

    if (try_to_win(election, &seen))
        return ELECTION_WON;
    wait_for_all(election, seen, milliseconds, watched, value, asked);
    return try_to_win(election, &seen) ? ELECTION_WON : ELECTION_LATER;
}

void election_leave(struct election *election)
{
    atomic_store(&election->page->lock, 0);
    futex(election, FUTEX_WAKE, 1, NULL);
}

void election_wake(const struct election *election)
{
    futex(election, FUTEX_WAKE, INT_MAX, NULL);
}

void *election_shared(const struct election *election)
{
    return election->page->shared;
}

bool election_address(const struct election *election, struct address *ret_address)
{
    if (!atomic_load(&election->page->is_bound))
        return false;
    *ret_address = election->page->address;
    return true;
}

void election_set_address(struct election *election, const struct address *address)
{
    election->page->address = *address;
    atomic_store(&election->page->is_bound, 1);
}

bool election_may_warn(struct election *election)
{
    return atomic_exchange(&election->page->has_warned, 1) == 0;
}
