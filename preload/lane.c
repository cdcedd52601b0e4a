#include "preload/lane.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/record.h"
#include "preload/stack.h"
#include "preload/x86_64/cpu.h"

enum {
    REAP_AT_FIRST = 16, /* lanes in use before the first search for threads that are gone */
};

static uint8_t *no_block;
static struct chunk chunk_none;

struct record lane_bottom = {.slot = UINTPTR_MAX};
struct lane lane_none = {.current = &lane_bottom, .chunk = &chunk_none, .block_ref = &no_block};
struct lane lane_ours = {.current = &lane_bottom, .chunk = &chunk_none, .block_ref = &no_block};
__thread struct lane *hot_lane __attribute__((tls_model("initial-exec"))) = &lane_none;

static struct lane_config config;
static struct lane *lanes;
static uint8_t *
    *block_refs; /* wiped by fork: see struct lane. One more than lanes: the last tells that this has happened */
static uint8_t not_wiped;
static uint32_t lane_capacity;
static _Atomic uint32_t lanes_used;
static _Atomic uint32_t reap_at = REAP_AT_FIRST;
static _Atomic int process_id;

/* Blocks
 * -------------------------------------------------------------------------------------------------------------------------
 */

static uint8_t *block_at(uint32_t index)
{
    return (uint8_t *)config.segment + config.segment->blocks + index * config.segment->block_bytes;
}

/* The last block is nobody's: calls that find no block of their own are added there, by atomic instructions. */
static uint32_t shared_block_index(void)
{
    return config.segment->block_capacity - 1;
}

static uint8_t *block_claim(uint32_t *ret_index)
{
    struct segment_header *segment = config.segment;
    _Atomic uint64_t *owners = (_Atomic uint64_t *)((uint8_t *)segment + segment->owners);
    _Atomic uint32_t *count = (_Atomic uint32_t *)&segment->block_count;
    uint64_t owner = (uint64_t)atomic_load(&process_id) << 32 | (uint32_t)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);

    for (uint32_t i = 0; i < shared_block_index(); i++) {
        uint64_t nobody = 0;
        uint32_t seen = atomic_load(count);

        if (!atomic_compare_exchange_strong(&owners[i], &nobody, owner))
            continue;
        while (seen <= i && !atomic_compare_exchange_weak(count, &seen, i + 1))
            ;
        *ret_index = i;
        return block_at(i);
    }
    return NULL;
}

/* Adds to a word of the hook's cell: in the thread's own block, or in the shared one if it has none. */
static void cell_add(const struct lane *lane, const struct hook *hook, uint64_t offset, uint64_t value)
{
    uint8_t *block = *lane->block_ref;
    uint32_t shared = shared_block_index();
    _Atomic uint32_t *count = (_Atomic uint32_t *)&config.segment->block_count;

    if (block) {
        cpu_add((uint64_t *)(block + hook->cell + offset), value);
        return;
    }
    atomic_store(count, shared + 1);
    atomic_fetch_add((_Atomic uint64_t *)(block_at(shared) + hook->cell + offset), value);
}

static void cell_add_word(const struct lane *lane, const struct hook *hook, unsigned word, uint64_t value)
{
    cell_add(lane, hook, (uint64_t)word * 8, value);
}

/* A call that was counted but could not be timed. */
static void cell_add_untimed(const struct lane *lane, const struct hook *hook)
{
    cell_add_word(lane, hook, CELL_STARTED, 1);
    cell_add_word(lane, hook, CELL_SUCCESS, 1);
}

static void cell_add_duration(const struct lane *lane, const struct hook *hook, uint64_t ticks)
{
    unsigned bucket;

    if (ticks > INT64_MAX) /* the counters of two processors differ by a little */
        ticks = 0;
    bucket = hook->first_bucket[63 - __builtin_clzll(ticks | 1)];
    while (ticks > hook->bounds[bucket])
        bucket++;
    cell_add_word(lane, hook, CELL_SUM_TICKS, ticks);
    cell_add_word(lane, hook, CELL_BUCKETS + bucket, 1);
}

/* Lanes
 * --------------------------------------------------------------------------------------------------------------------------
 */

/* Attaching and growing are not to be interrupted by a handler that does the same on this thread. */
static void signals_block(uint64_t *ret_mask)
{
    uint64_t all = UINT64_MAX;

    cpu_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)ret_mask, sizeof(all), 0, 0);
}

static void signals_restore(const uint64_t *mask)
{
    cpu_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, 0, sizeof(*mask), 0, 0);
}

static bool is_thread_gone(int tid)
{
    return cpu_syscall(SYS_tgkill, atomic_load(&process_id), tid, 0, 0, 0, 0) == -ESRCH;
}

static struct stack_range lane_stack(struct lane *lane)
{
    struct stack_range range = {lane->stack_low, lane->stack_high};

    if (range.high == 0) {
        range = stack_range_of(lane->thread_pointer == config.main_thread_pointer ? config.main_stack
                                                                                  : lane->thread_pointer);
        lane->stack_low = range.high ? range.low : 1;
        lane->stack_high = range.high ? range.high : 1;
    }
    if (range.low == 1)
        range.low = range.high = 0;
    return range;
}

/* Counts a record as abandoned and unlinks nothing. It is kept: what looks dead may be a coroutine whose stack lies in
 * a frame of this one, and then it returns. lane_exit_slow takes the count back in that case; records_collect frees the
 * provably dead. */
static void record_abandon(const struct lane *lane, struct record *record, enum segment_abandoned_reason reason)
{
    uint64_t live = RECORD_LIVE;

    if (atomic_compare_exchange_strong(&record->state, &live, RECORD_ABANDONED + reason))
        cell_add_word(lane, record->hook, CELL_ABANDONED + reason, 1);
}

static void lane_reap(struct lane *lane)
{
    for (struct record *record = lane->current; record != &lane_bottom; record = record->outer)
        record_abandon(lane, record, ABANDONED_THREAD_EXIT);
    lane->current = &lane_bottom;
    lane->stack_low = 0;
    lane->stack_high = 0;
    atomic_store(&lane->state, LANE_FREE);
}

static uint32_t lanes_reap_if(int tid)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        struct lane *lane = &lanes[i];
        uint32_t attached = LANE_ATTACHED;

        if (atomic_load(&lane->state) != LANE_ATTACHED)
            continue;
        live++;
        if (lane->tid != tid && !is_thread_gone(lane->tid))
            continue;
        if (!atomic_compare_exchange_strong(&lane->state, &attached, LANE_REAPING))
            continue;
        /* Between the look and the exchange the lane may have changed hands. */
        if (lane->tid == tid || is_thread_gone(lane->tid)) {
            lane_reap(lane);
            live--;
        } else {
            atomic_store(&lane->state, LANE_ATTACHED);
        }
    }
    return live;
}

void lanes_reap(void)
{
    if (lanes)
        lanes_reap_if(0);
}

static struct lane *lane_take_free(void)
{
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        uint32_t is_free = LANE_FREE;

        if (atomic_load(&lanes[i].state) == LANE_FREE &&
            atomic_compare_exchange_strong(&lanes[i].state, &is_free, LANE_REAPING))
            return &lanes[i];
    }
    return NULL;
}

static struct lane *lane_take_new(void)
{
    uint32_t index = atomic_load(&lanes_used);

    do {
        if (index == lane_capacity)
            return NULL;
    } while (!atomic_compare_exchange_weak(&lanes_used, &index, index + 1));
    lanes[index].index = index;
    lanes[index].block_ref = &block_refs[index];
    lanes[index].chunk = &chunk_none;
    lanes[index].current = &lane_bottom;
    return &lanes[index];
}

/* A lane for a thread that has none. Threads that ended are looked for whenever the number of lanes has doubled, so
 * that finding them costs each thread a constant. */
static struct lane *lane_take(int tid)
{
    struct lane *lane = lane_take_free();
    uint32_t live;

    if (lane)
        return lane;
    if (atomic_load(&lanes_used) >= atomic_load(&reap_at)) {
        live = lanes_reap_if(tid);
        atomic_store(&reap_at, live * 2 > REAP_AT_FIRST ? live * 2 : REAP_AT_FIRST);
        lane = lane_take_free();
        if (lane)
            return lane;
    }
    return lane_take_new();
}

/* Calls that the forked child has in progress as its parent has: they will end twice, so they have started twice. */
static void lane_balance(const struct lane *lane)
{
    for (struct record *record = lane->current; record != &lane_bottom; record = record->outer)
        if (atomic_load(&record->state) == RECORD_LIVE)
            cell_add_word(lane, record->hook, CELL_STARTED, 1);
}

/* Gives the calling thread its lane, with a block if there is one. Signals are blocked. NULL: there is no memory for
 * one. */
static void lane_attach(void)
{
    struct lane *lane = hot_lane;
    int tid = (int)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
    bool is_forked;

    if (lane == &lane_none)
        lane = lane_take(tid);
    if (!lane)
        return;
    is_forked = atomic_load(&lane->state) == LANE_ORPHANED;
    lane->tid = tid;
    lane->thread_pointer = cpu_thread_pointer();
    if (!*lane->block_ref)
        *lane->block_ref = block_claim(&lane->block_index);
    if (is_forked)
        lane_balance(lane);
    atomic_store(&lane->state, LANE_ATTACHED);
    hot_lane = lane;
}

static bool is_forked_unnoticed(void)
{
    return block_refs[lane_capacity] == NULL;
}

static void process_begin(void)
{
    atomic_store(&process_id, (int)cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0));
    block_refs[lane_capacity] = &not_wiped;
}

/* In the child everything is as in the parent, but for the wiped blocks and the threads that are not there. */
void lanes_forked(void)
{
    uint64_t mask;

    if (!lanes)
        return;
    signals_block(&mask);
    process_begin();
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        block_refs[i] = NULL;
        if (atomic_load(&lanes[i].state) == LANE_FREE)
            continue;
        if (&lanes[i] == hot_lane) {
            atomic_store(&lanes[i].state, LANE_ORPHANED);
            lane_attach();
        } else {
            lanes[i].current = &lane_bottom; /* the parent's calls: it counts them */
            lanes[i].stack_high = 0;
            atomic_store(&lanes[i].state, LANE_FREE);
        }
    }
    signals_restore(&mask);
}

/* A child that came by another way than fork(3) finds out here. Which of the lanes is the forking thread's shows when
 * it comes. */
static void process_check(void)
{
    if (!is_forked_unnoticed())
        return;
    process_begin();
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        block_refs[i] = NULL;
        if (atomic_load(&lanes[i].state) != LANE_FREE)
            atomic_store(&lanes[i].state, LANE_ORPHANED);
    }
}

/* A child of vfork runs on its parent's memory: it must leave no trace there but counts. */
static bool is_borrowed_memory(void)
{
    return !is_forked_unnoticed() && cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) != atomic_load(&process_id);
}

/* Records
 * ------------------------------------------------------------------------------------------------------------------------
 */

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
static void lane_absorb(struct lane *lane)
{
    for (struct chunk *chunk = lane->chunks; chunk; chunk = chunk->next) {
        uint64_t bits = atomic_load(&chunk->remote);

        for (uint64_t left = bits; left; left &= left - 1)
            chain_remove(lane, (struct record *)chunk + __builtin_ctzll(left));
        for (uint64_t left = bits; left; left &= left - 1)
            atomic_store(&((struct record *)chunk + __builtin_ctzll(left))->state, RECORD_LIVE);
        cpu_or(&chunk->free, bits);
        atomic_fetch_and(&chunk->remote, ~bits);
    }
}

/* True if the abandoned record cannot return any more: its slot, on the thread's own stack, holds something else than
 * the address that its original would return to, or a later call was made from the same slot. */
static bool is_provably_dead(const struct record *record, const struct chunk *chunks, struct stack_range stack)
{
    if (!stack_range_has(stack, record->slot))
        return false;
    if (*(const void *const *)record->slot != config.exit_address)
        return true;
    for (const struct chunk *chunk = chunks; chunk; chunk = chunk->next) {
        for (uint64_t used = ~chunk->free & ~UINT64_C(1); used; used &= used - 1) {
            const struct record *other = (const struct record *)chunk + __builtin_ctzll(used);

            if (other != record && other->slot == record->slot && other->start > record->start)
                return true;
        }
    }
    return false;
}

/* To the chunk's own lane. A free record is marked live: the trampoline need not do it. */
static void record_free(struct chunk *chunk, struct record *record)
{
    atomic_store(&record->state, RECORD_LIVE);
    cpu_or(&chunk->free, record_bit(record));
}

/* Frees the abandoned records of a full chunk that are provably dead. */
static void records_collect(struct lane *lane, struct chunk *chunk)
{
    struct stack_range stack = lane_stack(lane);

    for (uint64_t used = ~chunk->free & ~UINT64_C(1); used; used &= used - 1) {
        struct record *record = (struct record *)chunk + __builtin_ctzll(used);

        if (atomic_load(&record->state) >= RECORD_ABANDONED && is_provably_dead(record, lane->chunks, stack))
            record_free(chunk, record);
    }
}

static bool has_abandoned(const struct chunk *chunk)
{
    for (uint64_t used = ~chunk->free & ~UINT64_C(1); used; used &= used - 1)
        if (atomic_load(&((const struct record *)chunk + __builtin_ctzll(used))->state) >= RECORD_ABANDONED)
            return true;
    return false;
}

/* Makes a chunk with a free record the lane's current one. Signals are blocked. */
static bool lane_find_chunk(struct lane *lane)
{
    struct chunk *chunk = lane->chunk;

    lane_absorb(lane);
    if (chunk != &chunk_none && !chunk->free && has_abandoned(chunk))
        records_collect(lane, chunk);
    for (chunk = lane->chunks; chunk; chunk = chunk->next) {
        if (chunk->free) {
            lane->chunk = chunk;
            return true;
        }
    }
    chunk = chunk_claim(lane);
    if (!chunk)
        return false;
    chunk->next = lane->chunks;
    lane->chunks = chunk;
    lane->chunk = chunk;
    return true;
}

struct record *lane_find_record(uint64_t rbx, uintptr_t slot)
{
    struct record *named = record_at(rbx);

    if (named && named->slot == slot)
        return named;
    for (struct record *record = hot_lane->current; record != &lane_bottom; record = record->outer)
        if (record->slot == slot && atomic_load(&record->state) == RECORD_LIVE)
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

        if (stack_range_has(stack, inner->slot) && stack_range_has(stack, record->slot) && inner->slot < record->slot) {
            record_abandon(lane, inner, ABANDONED_LONGJMP);
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
static void record_finish(struct lane *lane, struct record *record)
{
    struct chunk *chunk = record_chunk(record);
    uint64_t state;

    if (chain_has(lane, record)) {
        if (lane->current != record)
            lane_abandon_inner(lane, record);
        chain_remove(lane, record);
    }
    state = atomic_exchange(&record->state, RECORD_FINISHED);
    if (state >= RECORD_ABANDONED)
        cell_add_word(lane, record->hook, CELL_ABANDONED + (unsigned)(state - RECORD_ABANDONED), UINT64_MAX);
    if (chunk->lane == lane)
        record_free(chunk, record);
    else
        atomic_fetch_or(&chunk->remote, record_bit(record));
}

/* The lane to count in, whatever the thread was before. */
static struct lane *lane_here(void)
{
    uint64_t mask;

    if (hot_lane == &lane_ours || *hot_lane->block_ref)
        return hot_lane;
    signals_block(&mask);
    process_check();
    if (!is_borrowed_memory())
        lane_attach();
    signals_restore(&mask);
    return hot_lane;
}

/* From the trampolines
 * ----------------------------------------------------------------------------------------------------------- */

int lane_entry_slow(const struct hook *hook)
{
    struct lane *lane;
    uint64_t mask;
    int answer = LANE_RETRY;

    if (hot_lane == &lane_ours)
        return LANE_BYPASS;
    lane = lane_here();
    if (!*lane->block_ref) {
        cell_add_untimed(lane, hook);
        return LANE_BYPASS;
    }
    if (lane->chunk->free)
        return LANE_RETRY;
    signals_block(&mask);
    if (!lane_find_chunk(lane)) {
        cell_add_untimed(lane, hook);
        answer = LANE_BYPASS;
    }
    signals_restore(&mask);
    return answer;
}

void lane_count_slow(const struct hook *hook)
{
    if (hot_lane != &lane_ours)
        cell_add_word(lane_here(), hook, CELL_SUCCESS, 1);
}

void lane_entry_check(struct lane *lane, uintptr_t slot)
{
    struct stack_range stack = lane_stack(lane);
    struct record **link = &lane->current;

    while (*link != &lane_bottom) {
        struct record *record = *link;

        if (atomic_load(&record->state) != RECORD_LIVE) {
            *link = record->outer;
        } else if (!stack_range_has(stack, slot)) {
            return;
        } else if (!stack_range_has(stack, record->slot)) {
            link = &record->outer;
        } else if (record->slot > slot) {
            return;
        } else {
            record_abandon(lane, record, ABANDONED_LONGJMP);
            *link = record->outer;
        }
    }
}

uint32_t lane_judge(const struct hook *hook, uint64_t ret, uint64_t float_ret)
{
    struct condition_input input = {
        .ret = ret,
        .float_ret = float_ret,
        .error_number = *(const int *)(cpu_thread_pointer() + (uintptr_t)config.errno_offset),
    };

    if (condition_holds(&hook->throttled_when, &input))
        return CELL_THROTTLED * 8;
    if (condition_holds(&hook->error_when, &input))
        return CELL_ERROR * 8;
    return CELL_SUCCESS * 8;
}

static uint32_t outcome_of(const struct hook *hook, uint64_t ret, uint64_t float_ret)
{
    if (hook->flags & HOOK_FLAG_JUDGE)
        return lane_judge(hook, ret, float_ret);
    return hook->words[(((ret & hook->mask) - hook->low) & hook->mask) > hook->span];
}

/* No record, no return address: the program cannot go on. It never should come here. */
static void record_lost(void)
{
    __builtin_trap();
}

void lane_exit_slow(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
                    struct lane_exit *ret_exit)
{
    struct lane *lane = lane_here();
    struct record *record = lane_find_record(rbx, slot);

    if (!record)
        record_lost();
    ret_exit->caller_rbx = record->caller_rbx;
    ret_exit->return_address = record->return_address;
    cell_add_duration(lane, record->hook, now - record->start);
    cell_add(lane, record->hook, outcome_of(record->hook, ret, float_ret), 1);
    record_finish(lane, record);
}

void lane_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct lane_exit *ret_exit)
{
    struct lane *lane = lane_here();
    struct record *record = lane_find_record(rbx, slot);

    if (!record)
        record_lost();
    ret_exit->caller_rbx = record->caller_rbx;
    ret_exit->return_address = record->return_address;
    ret_exit->resume = record->target;
    if (is_forced) {
        cell_add_word(lane, record->hook, CELL_ABANDONED + ABANDONED_THREAD_EXIT, 1);
    } else {
        cell_add_duration(lane, record->hook, config.now() - record->start);
        cell_add_word(lane, record->hook, CELL_ERROR, 1);
    }
    record_finish(lane, record);
}

void lane_longjmp(uintptr_t target, uintptr_t from)
{
    struct lane *lane = hot_lane;
    struct stack_range own;
    struct stack_range alternate;
    struct record **link = &lane->current;

    if (lane->current == &lane_bottom)
        return;
    own = lane_stack(lane);
    alternate = stack_range_has(own, from) ? (struct stack_range){0, 0} : stack_alternate();
    while (*link != &lane_bottom) {
        struct record *record = *link;
        bool is_left = stack_range_has(alternate, record->slot) && !stack_range_has(alternate, target);
        bool is_below = stack_range_has(own, record->slot) && stack_range_has(own, target) && record->slot < target;

        if (stack_range_has(own, record->slot) && record->slot >= target)
            return;
        if (is_left || is_below) {
            record_abandon(lane, record, ABANDONED_LONGJMP);
            *link = record->outer;
        } else {
            link = &record->outer;
        }
    }
}

/* Start
 * --------------------------------------------------------------------------------------------------------------------------
 */

static void *map_private(size_t bytes)
{
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return address < 0 && address > -4096 ? NULL : (void *)address;
}

int lanes_init(const struct lane_config *given)
{
    uint32_t capacity = given->segment->block_capacity - 1;
    size_t refs_bytes = ((size_t)(capacity + 1) * sizeof(*block_refs) + 4095) & ~(size_t)4095;
    long result;

    config = *given;
    lanes = map_private(capacity * sizeof(*lanes));
    block_refs = map_private(refs_bytes);
    if (!lanes || !block_refs)
        return -ENOMEM;
    result = cpu_syscall(SYS_madvise, (long)block_refs, (long)refs_bytes, MADV_WIPEONFORK, 0, 0, 0);
    if (result != 0)
        return (int)result;
    lane_capacity = capacity;
    process_begin();
    if (!config.is_data_scanned)
        records_init();
    return 0;
}
