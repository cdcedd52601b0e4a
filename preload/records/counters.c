#include "preload/records/counters.h"

#include <stddef.h>

#include "preload/machine/x86_64/cpu.h"

static uint8_t *shared_block;
static ptrdiff_t errno_offset;

void counters_init(struct segment_header *segment, ptrdiff_t given_errno_offset)
{
    shared_block = (uint8_t *)segment + segment->blocks + SEGMENT_SHARED_BLOCK * segment->block_bytes;
    errno_offset = given_errno_offset;
}

void counters_add_at(const struct lane *lane, uint64_t cell, uint64_t offset, uint64_t value)
{
    uint8_t *block = *lane->block_ref;

    if (block)
        cpu_add((uint64_t *)(block + cell + offset), value);
    else
        atomic_fetch_add((_Atomic uint64_t *)(shared_block + cell + offset), value);
}

void counters_add(const struct lane *lane, const struct hook *hook, unsigned word, uint64_t value)
{
    counters_add_at(lane, hook->home, (uint64_t)word * 8, value);
}

/* A call that was counted but could not be timed. */
void counters_add_untimed(const struct lane *lane, const struct hook *hook)
{
    struct tally tally = {.bytes = 0};
    void *done = NULL;

    tally_note(&tally, hook->home + CELL_STARTED * 8, 1);
    tally_note(&tally, hook->home + CELL_SUCCESS * 8, 1);
    counters_commit(lane, &tally, &done, &done);
}

static unsigned bucket_of(const struct hook *hook, uint64_t ticks)
{
    unsigned bucket = hook->first_bucket[63 - __builtin_clzll(ticks | 1)];

    while (ticks > hook->bounds[bucket])
        bucket++;
    return bucket;
}

/* The counters of two processors differ by a little: what ends before it began took no time. */
static uint64_t not_negative(uint64_t ticks)
{
    return ticks > INT64_MAX ? 0 : ticks;
}

void counters_note_duration(struct tally *tally, const struct hook *hook, uint64_t cell, uint64_t ticks,
                            uint64_t weight)
{
    ticks = not_negative(ticks);
    tally_note(tally, cell + CELL_SUM_TICKS * 8, ticks * weight);
    tally_note(tally, cell + (CELL_BUCKETS + bucket_of(hook, ticks)) * 8, weight);
}

void counters_note_interval(struct tally *tally, const struct hook *hook, uint64_t offset, uint64_t ticks)
{
    ticks = not_negative(ticks);
    tally_note(tally, hook->home + offset, ticks);
    tally_note(tally, hook->home + offset + (1 + bucket_of(hook, ticks)) * 8, 1);
}

void counters_add_duration_at(const struct lane *lane, const struct hook *hook, uint64_t cell, uint64_t ticks,
                              uint64_t weight)
{
    ticks = not_negative(ticks);
    counters_add_at(lane, cell, CELL_SUM_TICKS * 8, ticks * weight);
    counters_add_at(lane, cell, (CELL_BUCKETS + bucket_of(hook, ticks)) * 8, weight);
}

void counters_commit(const struct lane *lane, const struct tally *tally, void **mark, void *const *value)
{
    uint8_t *block = *lane->block_ref;

    if (block) {
        tally_add_up(block, tally->entries, tally->bytes, mark, value);
        return;
    }
    for (uint64_t i = 0; i < tally->bytes / sizeof(tally->entries[0]); i++)
        counters_add_at(lane, 0, tally->entries[i].offset, tally->entries[i].value);
    *(void *volatile *)mark = *value;
}

void counters_start(const struct lane *lane, uint64_t cell, void **mark, void *value)
{
    uint8_t *block = *lane->block_ref;

    if (block) {
        tally_start((uint64_t *)(block + cell + CELL_STARTED * 8), mark, value);
        return;
    }
    counters_add_at(lane, cell, CELL_STARTED * 8, 1);
    *(void *volatile *)mark = value;
}

int *counters_errno_place(void)
{
    return errno_offset ? (int *)(cpu_thread_pointer() + (uintptr_t)errno_offset) : NULL;
}

int counters_errno(void)
{
    return *(const int *)(cpu_thread_pointer() + (uintptr_t)errno_offset);
}

uint32_t counters_outcome(const struct hook *hook, uint64_t ret, uint64_t float_ret)
{
    struct condition_input input = {
        .ret = ret,
        .float_ret = float_ret,
        .error_number = counters_errno(),
    };

    if (condition_holds(&hook->throttled_when, &input))
        return CELL_THROTTLED * 8;
    if (condition_holds(&hook->error_when, &input))
        return CELL_ERROR * 8;
    return CELL_SUCCESS * 8;
}
