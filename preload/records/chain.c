#include "preload/records/chain.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/records/record.h"
#include "preload/records/trampolines.h"

enum {
    CHUNKS_LOOKED_AT = 4,
    RECORDS_WALKED = 1 << 20,
    CHUNKS_OF_DOUBT = 64, /* that a lane has before it takes back what was never seen to be left */
};

static _Atomic bool are_stacks_copied; /* by coroutines that share them */
static _Atomic bool has_come_back;     /* a call that looked dead has returned */

_Static_assert(CELL_PANIC + 1 == CELL_ABANDONED && RECORD_PANICKED + 1 == RECORD_ABANDONED, "chain_finish");

bool chain_is_exit(const void *address)
{
#define IS_EXIT(kind) || address == hot_exit_##kind || address == hot_exit_tail_##kind
    return false TRAMPOLINES(IS_EXIT);
}

/* A call that is left before its labels are known is counted as begun in the cell of all others. */
static void begin_left(const struct lane *lane, struct record *record)
{
    if (!record_is_begun(record))
        counters_start(lane, record->hook->home, &record->target, record->hook->bypass);
}

/* Another thread may end the call at the same time. */
bool chain_claim(const struct lane *lane, struct record *record, uint8_t state)
{
    uint64_t offset = record->hook->home + (CELL_PANIC + (uint64_t)(state - RECORD_PANICKED)) * 8;
    uint8_t *block = *lane->block_ref;
    uint8_t live = RECORD_LIVE;
    bool is_claimed;

    if (atomic_load(&record->state) != RECORD_LIVE || record->target == (void *)RECORD_ENDED)
        return false;
    begin_left(lane, record);
    if (!block) {
        is_claimed = atomic_compare_exchange_strong(&record->state, &live, state);
        if (is_claimed)
            counters_add_at(lane, 0, offset, 1);
        return is_claimed;
    }
    is_claimed = tally_claim((uint64_t *)(block + offset), &record->state, RECORD_LIVE, state);
    if (!is_claimed)
        counters_add_at(lane, 0, offset, UINT64_MAX);
    return is_claimed;
}

/* Counts a record as abandoned and unlinks nothing. It is kept: what looks dead may be a coroutine whose stack lies in
 * a frame of this one, and then it returns. chain_finish takes the count back in that case; records_collect frees the
 * provably dead. */
void chain_abandon(const struct lane *lane, struct record *record, enum segment_abandoned_reason reason)
{
    chain_claim(lane, record, (uint8_t)(RECORD_ABANDONED + reason));
}

/* By the file's own name. */
void chain_note_library(const char *path)
{
    static const char name[] = "greenlet";
    bool is_named = false;

    for (; *path; path++) {
        unsigned matched = 0;

        while (name[matched] && path[matched] == name[matched])
            matched++;
        is_named = (is_named || !name[matched]) && *path != '/';
    }
    if (is_named)
        atomic_store(&are_stacks_copied, true);
}

/* If it was counted as left. Another thread may be finishing the call. */
static void record_mark_left(struct record *record)
{
    uint8_t state = atomic_load(&record->state);

    while (state >= RECORD_PANICKED && !atomic_compare_exchange_weak(&record->state, &state, state | RECORD_LEFT))
        ;
}

void chain_jumped_over(const struct lane *lane, struct record *record, bool is_stack_left)
{
    chain_abandon(lane, record, ABANDONED_LONGJMP);
    if (is_stack_left && !atomic_load(&are_stacks_copied))
        record_mark_left(record);
}

void chain_passed_over(const struct lane *lane, struct record *record)
{
    if (!atomic_load(&are_stacks_copied))
        chain_abandon(lane, record, ABANDONED_LONGJMP);
}

static void chunk_thread_gone(struct chunk *chunk)
{
    for (uint64_t used = chunk_used(chunk); used; used &= used - 1)
        record_mark_left((struct record *)chunk + __builtin_ctzll(used));
}

void chain_thread_gone(struct lane *lane)
{
    struct chunk *chunk = lane->chunk;

    for (struct record *record = lane->current; record != &lane_bottom; record = record->outer)
        chain_abandon(lane, record, ABANDONED_THREAD_EXIT);
    lane->current = &lane_bottom;
    if (lane->seats != lane_no_chunk)
        chunk_thread_gone(lane->seats);
    if (chunk == lane_no_chunk)
        return;
    do {
        chunk_thread_gone(chunk);
        chunk = chunk->next;
    } while (chunk != lane->chunk);
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

/* Compares the word at an address that may be gone at any moment: 0, -EAGAIN if it is another one, -EFAULT if nothing
 * is mapped there, or what else the kernel says. It is asked to compare, and then to wake nobody and to move nobody. */
static long compare_half(uintptr_t address, uintptr_t half)
{
    return cpu_syscall(SYS_futex, (long)address, FUTEX_CMP_REQUEUE_PRIVATE, 0, 0, (long)address, (long)(uint32_t)half);
}

/* True if it is certain that the slot does not hold `exit`. The upper halves tell it mostly. */
static bool is_other_than(uintptr_t slot, const char *exit)
{
    long result = compare_half(slot + 4, (uintptr_t)exit >> 32);

    if (result == 0)
        result = compare_half(slot, (uintptr_t)exit);
    return result == -EAGAIN || result == -EFAULT;
}

/* True if the slot, on a stack that may be anybody's by now, is gone or holds something else than the address that a
 * record's original would return to. */
static bool is_slot_left(uintptr_t slot)
{
#define IS_OTHER(kind) &&is_other_than(slot, hot_exit_##kind) && is_other_than(slot, hot_exit_tail_##kind)
    return true TRAMPOLINES(IS_OTHER);
}

/* True if a later call was made from the record's slot; not by a tail call, which takes over the slot of one that is
 * still in progress. */
static bool is_called_anew(const struct record *record, const struct chunk *chunk)
{
    for (uint64_t used = chunk_used(chunk); used; used &= used - 1) {
        const struct record *other = (const struct record *)chunk + __builtin_ctzll(used);

        if (other != record && record_slot(other) == record_slot(record) && other->start > record->start &&
            !chain_is_exit(other->return_address))
            return true;
    }
    return false;
}

/* True if the abandoned record cannot return any more: its slot, on the thread's own stack, is gone or holds something
 * else than the address that its original would return to, or a later call was made from the same slot. What is taken
 * for the thread's own stack may hold a coroutine's, which the program has unmapped.
 *
 * A slot elsewhere tells only if the stack was seen to be given up: that of a thread which is gone may be used again or
 * be anybody's memory by now, but what another thread carries on of it is still there. */
static bool is_provably_dead(const struct record *record, const struct chunk *chunk, struct stack_range stack)
{
    bool is_own = stack_range_has(stack, record_slot(record));
    long probe;

    if ((!is_own && !(atomic_load(&record->state) & RECORD_LEFT)) || forbidden_is(SYS_futex) ||
        forbidden_is(SYS_rt_sigprocmask))
        return false;
    if (is_called_anew(record, chunk))
        return true;
    if (!is_own)
        return is_slot_left(record_slot(record));
    probe = cpu_probe(record_slot(record));
    if (probe != 0)
        return probe == -EFAULT;
    return !chain_is_exit(*(const void *const *)record_slot(record));
}

/* Below it, what is to be looked at: records that were left for certain have the highest states. */
static uint8_t lowest_state(const struct lane *lane)
{
    unsigned chunks = 1;

    if (atomic_load(&has_come_back) || atomic_load(&are_stacks_copied))
        return RECORD_LEFT;
    for (const struct chunk *chunk = lane->chunk->next; chunk && chunk != lane->chunk && chunks < CHUNKS_OF_DOUBT;
         chunk = chunk->next)
        chunks++;
    return chunks < CHUNKS_OF_DOUBT ? RECORD_LEFT : RECORD_PANICKED;
}

/* Frees the abandoned records of a chunk that are provably dead. A call that another thread is about to finish is not,
 * whatever was seen of it: its state has changed (chain_find_record). */
static void records_collect(struct lane *lane, struct chunk *chunk, uint8_t lowest)
{
    struct stack_range stack = lane_stack(lane);

    for (uint64_t used = chunk_used(chunk); used; used &= used - 1) {
        struct record *record = (struct record *)chunk + __builtin_ctzll(used);
        uint8_t state = atomic_load(&record->state);

        if (state >= lowest && is_provably_dead(record, chunk, stack) &&
            atomic_compare_exchange_strong(&record->state, &state, RECORD_LIVE))
            record_free(record);
    }
}

static bool has_abandoned(const struct chunk *chunk, uint8_t lowest)
{
    for (uint64_t used = chunk_used(chunk); used; used &= used - 1)
        if (atomic_load(&((const struct record *)chunk + __builtin_ctzll(used))->state) >= lowest)
            return true;
    return false;
}

/* Gets records of the chunk back that are not in progress any more. */
static void chunk_refresh(struct lane *lane, struct chunk *chunk, uint8_t lowest)
{
    chunk_absorb(lane, chunk);
    if (!chunk->free && has_abandoned(chunk, lowest))
        records_collect(lane, chunk, lowest);
}

/* A lane's chunks form a ring. Only the next few are looked at, so that a deep recursion costs no more than its depth;
 * whatever is free further on has its turn later. */
bool chain_find_chunk(struct lane *lane)
{
    struct chunk *chunk = lane->chunk;
    uint8_t lowest = lowest_state(lane);

    if (lane->seats != lane_no_chunk)
        chunk_refresh(lane, lane->seats, lowest);
    for (unsigned i = 0; chunk != lane_no_chunk && i < CHUNKS_LOOKED_AT; i++) {
        lane->chunk = chunk;
        chunk_refresh(lane, chunk, lowest);
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

static struct record *find_record(uint64_t rbx, uintptr_t slot)
{
    struct record *named = record_at(rbx);

    if (named && record_slot(named) == slot)
        return named;
    for (struct record *record = hot_thread.lane->current; record != &lane_bottom; record = record->outer)
        if (record_slot(record) == slot && atomic_load(&record->state) == RECORD_LIVE)
            return record;
    return named;
}

/* From here on its lane's thread, if that is another one, does not take it for dead: its start and its slot are about
 * to change. */
struct record *chain_find_record(uint64_t rbx, uintptr_t slot)
{
    struct record *record = find_record(rbx, slot);

    if (record)
        atomic_fetch_and(&record->state, (uint8_t)~RECORD_LEFT);
    return record;
}

/* The innermost live one at the slot. Another thread's list may change meanwhile: its length is bounded. A lane that is
 * not filled in yet has none; in a child that was forked meanwhile it stays so. */
static struct record *record_in_progress(const struct lane *lane, uintptr_t slot)
{
    struct record *record = lane->current;

    for (unsigned i = 0; record && record != &lane_bottom && i < RECORDS_WALKED; i++, record = record->outer)
        if (record_slot(record) == slot && atomic_load(&record->state) == RECORD_LIVE)
            return record;
    return NULL;
}

/* Tail calls share a slot: what the inner one returns to is the trampoline again, and the next record further out has
 * what follows. */
uintptr_t chain_return_place(uintptr_t slot)
{
    struct record *record = NULL;
    const struct lane *lane;

    if (!chain_is_exit(*(const void *const *)slot))
        return slot;
    record = record_in_progress(hot_thread.lane, slot);
    for (size_t i = 0; !record && (lane = lane_at(i)); i++)
        record = record_in_progress(lane, slot);
    while (record && chain_is_exit(record->return_address) && record_slot(record->outer) == slot)
        record = record->outer;
    return record ? (uintptr_t)&record->return_address : slot;
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
            chain_passed_over(lane, inner);
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
    state &= (uint8_t)~RECORD_LEFT;
    if (state >= RECORD_PANICKED) {
        counters_add(lane, record->hook, CELL_PANIC + (unsigned)(state - RECORD_PANICKED), UINT64_MAX);
        atomic_store(&has_come_back, true);
    }
    if (chunk->lane == lane)
        record_free(record);
    else
        atomic_fetch_or(&chunk->remote, record_bit(record));
}
