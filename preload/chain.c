#include "preload/chain.h"

#include <errno.h>
#include <sys/syscall.h>

#include "preload/counters.h"
#include "preload/lane.h"
#include "preload/record.h"
#include "preload/x86_64/cpu.h"

enum {
    CHUNKS_LOOKED_AT = 4
};

_Static_assert(CELL_PANIC + 1 == CELL_ABANDONED && RECORD_PANICKED + 1 == RECORD_ABANDONED, "chain_finish");

bool chain_is_exit(const void *address)
{
#define IS_EXIT(kind) || address == hot_exit_##kind || address == hot_exit_tail_##kind
    return false CPU_TRAMPOLINES(IS_EXIT);
}

/* Counts a record as abandoned and unlinks nothing. It is kept: what looks dead may be a coroutine whose stack lies in
 * a frame of this one, and then it returns. chain_finish takes the count back in that case; records_collect frees the
 * provably dead. */
void chain_abandon(const struct lane *lane, struct record *record, enum segment_abandoned_reason reason)
{
    uint8_t live = RECORD_LIVE;

    if (atomic_compare_exchange_strong(&record->state, &live, (uint8_t)(RECORD_ABANDONED + reason)))
        counters_add(lane, record->hook, CELL_ABANDONED + reason, 1);
}

static void chain_remove(struct lane *lane, const struct record *record)
{
    struct record **link = &lane->current;

    while (*link != &lane_bottom) {
        if (*link == record) {
            *link = record->outer;
            return;
        }
        link = &(*link)->outer;
    }
}

/* Takes back what other threads finished. The bits are fetched first: whatever they name is marked finished already. */
static void chunk_absorb(struct lane *lane, struct chunk *chunk)
{
    uint64_t bits = atomic_load(&chunk->remote);

    if (bits == 0)
        return;
    for (uint64_t left = bits; left; left &= left - 1)
        chain_remove(lane, (struct record *)chunk + __builtin_ctzll(left));
    for (uint64_t left = bits; left; left &= left - 1)
        record_free((struct record *)chunk + __builtin_ctzll(left));
    atomic_fetch_and(&chunk->remote, ~bits);
}

/* 0, or -EFAULT if nothing is mapped there, or what else the kernel says: it copies the new mask before it refuses to
 * do -1 with it. */
static long probe_read(uintptr_t address)
{
    long result = cpu_syscall(SYS_rt_sigprocmask, -1, (long)address, 0, sizeof(uint64_t), 0, 0);

    return result == -EINVAL ? 0 : result;
}

/* True if the abandoned record cannot return any more: its slot, on the thread's own stack, is gone or holds something
 * else than the address that its original would return to, or a later call was made from the same slot. What is taken
 * for the thread's own stack may hold a coroutine's, which the program has unmapped. */
static bool is_provably_dead(const struct record *record, const struct chunk *chunk, struct stack_range stack)
{
    const void *held;
    long probe;

    if (!stack_range_has(stack, record_slot(record)))
        return false;
    probe = probe_read(record_slot(record));
    if (probe != 0)
        return probe == -EFAULT;
    held = *(const void *const *)record_slot(record);
    if (!chain_is_exit(held))
        return true;
    for (uint64_t used = chunk_used(chunk); used; used &= used - 1) {
        const struct record *other = (const struct record *)chunk + __builtin_ctzll(used);

        if (other != record && record_slot(other) == record_slot(record) && other->start > record->start &&
            !chain_is_exit(other->return_address))
            return true;
    }
    return false;
}

/* Frees the abandoned records of a chunk that are provably dead. */
static void records_collect(struct lane *lane, struct chunk *chunk)
{
    struct stack_range stack = lane_stack(lane);

    for (uint64_t used = chunk_used(chunk); used; used &= used - 1) {
        struct record *record = (struct record *)chunk + __builtin_ctzll(used);

        if (atomic_load(&record->state) >= RECORD_PANICKED && is_provably_dead(record, chunk, stack))
            record_free(record);
    }
}

static bool has_abandoned(const struct chunk *chunk)
{
    for (uint64_t used = chunk_used(chunk); used; used &= used - 1)
        if (atomic_load(&((const struct record *)chunk + __builtin_ctzll(used))->state) >= RECORD_PANICKED)
            return true;
    return false;
}

/* Gets records of the chunk back that are not in progress any more. */
static void chunk_refresh(struct lane *lane, struct chunk *chunk)
{
    chunk_absorb(lane, chunk);
    if (!chunk->free && has_abandoned(chunk))
        records_collect(lane, chunk);
}

/* A lane's chunks form a ring. Only the next few are looked at, so that a deep recursion costs no more than its depth;
 * whatever is free further on has its turn later. */
bool chain_find_chunk(struct lane *lane)
{
    struct chunk *chunk = lane->chunk;

    if (lane->seats != lane_no_chunk)
        chunk_refresh(lane, lane->seats);
    for (unsigned i = 0; chunk != lane_no_chunk && i < CHUNKS_LOOKED_AT; i++) {
        lane->chunk = chunk;
        chunk_refresh(lane, chunk);
        if (chunk->free)
            return true;
        chunk = chunk->next;
    }
    chunk = chunk_claim(lane, false);
    if (!chunk)
        return false;
    chunk->next = chunk;
    if (lane->chunk != lane_no_chunk) {
        chunk->next = lane->chunk->next;
        lane->chunk->next = chunk;
    }
    lane->chunk = chunk;
    return true;
}

struct record *chain_find_record(uint64_t rbx, uintptr_t slot)
{
    struct record *named = record_at(rbx);

    if (named && record_slot(named) == slot)
        return named;
    for (struct record *record = hot_thread.lane->current; record != &lane_bottom; record = record->outer)
        if (record_slot(record) == slot && atomic_load(&record->state) == RECORD_LIVE)
            return record;
    return named;
}

/* Records linked in after `record`, on the thread's own stack and below it, were left without a return. */
static void lane_abandon_inner(struct lane *lane, const struct record *record)
{
    struct stack_range stack = lane_stack(lane);
    struct record **link = &lane->current;

    while (*link != record && *link != &lane_bottom) {
        struct record *inner = *link;

        if (stack_range_has(stack, record_slot(inner)) && stack_range_has(stack, record_slot(record)) &&
            record_slot(inner) < record_slot(record)) {
            chain_abandon(lane, inner, ABANDONED_LONGJMP);
            *link = inner->outer;
        } else {
            link = &inner->outer;
        }
    }
}

static bool chain_has(const struct lane *lane, const struct record *record)
{
    for (struct record *other = lane->current; other != &lane_bottom; other = other->outer)
        if (other == record)
            return true;
    return false;
}

/* Unlinks the record, gives it back to its owner, and takes back an `abandoned` that was counted too early. */
void chain_finish(struct lane *lane, struct record *record)
{
    struct chunk *chunk = record_chunk(record);
    uint8_t state;

    if (chain_has(lane, record)) {
        if (lane->current != record)
            lane_abandon_inner(lane, record);
        chain_remove(lane, record);
    }
    state = atomic_exchange(&record->state, RECORD_FINISHED);
    if (state >= RECORD_PANICKED)
        counters_add(lane, record->hook, CELL_PANIC + (unsigned)(state - RECORD_PANICKED), UINT64_MAX);
    if (chunk->lane == lane)
        record_free(record);
    else
        atomic_fetch_or(&chunk->remote, record_bit(record));
}
