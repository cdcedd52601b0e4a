#include "preload/threads/shared_lock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/threads/blocks.h"
#include "preload/threads/process_image.h"

enum {
    SPINS = 1 << 10,
    YIELDS = 64,
    NAP_NS = 1000000,
};

static bool take_free(_Atomic uint64_t *word, uint64_t self)
{
    uint64_t holder = 0;

    return atomic_load(word) == 0 && atomic_compare_exchange_strong(word, &holder, self);
}

static bool take(_Atomic uint64_t *word, uint64_t self)
{
    uint64_t holder = 0;

    if (atomic_compare_exchange_strong(word, &holder, self))
        return true;
    return image_mark_is_over(holder) && atomic_compare_exchange_strong(word, &holder, self);
}

bool shared_lock_try(uint64_t *word)
{
    return take((_Atomic uint64_t *)word, image_mark());
}

static void nap(void)
{
    const struct timespec time = {.tv_nsec = NAP_NS};

    if (forbidden_is(SYS_nanosleep))
        cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    else
        cpu_syscall(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

/* A holder that runs is done within the spins; one that has to wait for a processor, within the yields. */
bool shared_lock_take(uint64_t *given_word, unsigned naps)
{
    _Atomic uint64_t *word = (_Atomic uint64_t *)given_word;
    uint64_t self = image_mark();

    for (unsigned i = 0; i < SPINS; i++) {
        if (take_free(word, self))
            return true;
        cpu_pause();
    }
    for (unsigned i = 0; i < YIELDS; i++) {
        if (take(word, self))
            return true;
        cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    blocks_reclaim(); /* which finds out about images that are over */
    for (unsigned i = 0; i < naps; i++) {
        if (take(word, self))
            return true;
        nap();
    }
    return take(word, self);
}

void shared_lock_leave(uint64_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}
