#include "preload/calls/tuples.h"

#include "preload/machine/forbidden.h"
#include "preload/machine/own_mask.h"
#include "preload/threads/shared_lock.h"

enum {
    NAPS = 8, /* milliseconds that a call may take longer, once for each holder that does not let go */
};

static _Atomic uint64_t stuck; /* the holder that was waited for in vain */

/* True if the lock is held. */
static bool lock(struct segment_values *values)
{
    uint64_t holder = __atomic_load_n(&values->lock, __ATOMIC_RELAXED);

    if (holder != 0 && holder == atomic_load(&stuck))
        return shared_lock_try(&values->lock);
    if (shared_lock_take(&values->lock, NAPS))
        return true;
    atomic_store(&stuck, __atomic_load_n(&values->lock, __ATOMIC_RELAXED));
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

    if (!forbidden_lets_lock())
        return place;
    own_mask_block(&mask);
    if (lock(tuples->values)) {
        place = add_locked(tuples, key, words, hash);
        shared_lock_leave(&tuples->values->lock);
    }
    own_mask_restore(&mask);
    return place;
}
