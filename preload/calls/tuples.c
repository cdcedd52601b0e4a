#include "preload/calls/tuples.h"

#include <errno.h>
#include <sys/syscall.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"

enum {
    SPINS_MAX = 1 << 16,
    SPINS_A_LOOK = 1 << 10, /* between two looks at whether the lock's owner lives */
};

static bool is_gone(uint64_t owner)
{
    return cpu_syscall(SYS_tgkill, (long)(owner >> 32), (long)(uint32_t)owner, 0, 0, 0, 0) == -ESRCH;
}

/* Signals are blocked, so only another thread can hold it: a live one for some hundred instructions; one that was
 * stopped is not waited for. */
static bool lock(struct segment_values *values)
{
    _Atomic uint64_t *word = (_Atomic uint64_t *)&values->lock;
    uint64_t self = cpu_own_id();

    for (unsigned spins = 1; spins < SPINS_MAX; spins++) {
        uint64_t owner = 0;

        if (atomic_compare_exchange_strong(word, &owner, self))
            return true;
        if (spins % SPINS_A_LOOK != 0)
            cpu_pause();
        else if (is_gone(owner) && atomic_compare_exchange_strong(word, &owner, self))
            return true;
        else
            cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    return false;
}

/* The count comes before the slot: whoever dies in between leaves a key that nobody finds, and an equal one is shown as
 * the same series. */
static uint32_t add_locked(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash)
{
    uint32_t count = __atomic_load_n(&tuples->values->count, __ATOMIC_ACQUIRE);
    uint32_t slot = 0;
    uint32_t place = tuples_look_up(tuples, key, words, hash, &slot);

    if (place < tuples->capacity || count == tuples->capacity)
        return place;
    for (uint32_t i = 0; i < words; i++)
        tuples->keys[(uint64_t)count * tuples->key_words + i] = key[i];
    __atomic_store_n(&tuples->values->count, count + 1, __ATOMIC_RELEASE);
    atomic_store(&tuples->slots[slot], count + 1);
    return count;
}

uint32_t tuples_add(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash)
{
    uint32_t place = tuples->capacity;
    uint64_t mask;

    own_mask_block(&mask);
    if (lock(tuples->values)) {
        place = add_locked(tuples, key, words, hash);
        __atomic_store_n(&tuples->values->lock, 0, __ATOMIC_RELEASE);
    }
    own_mask_restore(&mask);
    return place;
}
