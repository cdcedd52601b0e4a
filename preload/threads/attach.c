#include "preload/threads/attach.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/lanes.h"
#include "preload/records/record.h"
#include "preload/threads/altstack.h"
#include "preload/threads/blocks.h"
#include "preload/threads/halfway.h"
#include "preload/threads/process_image.h"

enum {
    REAP_AT_FIRST = 16, /* lanes in use before the first search for threads that are gone */
};

static struct segment_header *segment;
/* Wiped by fork: see struct lane. One more than lanes: the last tells that this has happened. */
static uint8_t **block_refs;
static uint8_t not_wiped;
static uint8_t begins_now; /* in place of it: one thread of the child is at work on that */
static uint32_t lane_capacity;
static _Atomic uint32_t reap_at = REAP_AT_FIRST;
static _Atomic int process_id;

static bool is_thread_gone(int tid)
{
    return cpu_syscall(SYS_tgkill, atomic_load(&process_id), tid, 0, 0, 0, 0) == -ESRCH;
}

static void lane_reap(struct lane *lane)
{
    chain_thread_gone(lane);
    lane->stack_low = 0;
    lane->stack_high = 0;
    lane->probes = 0;
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

void lanes_reap_threads(void)
{
    if (lanes)
        lanes_reap_if(0);
}

void lanes_reap(void)
{
    if (!lanes)
        return;
    lanes_reap_if(0);
    blocks_reclaim();
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
    lanes[index].block_ref = &block_refs[index];
    lanes[index].chunk = lane_no_chunk;
    lanes[index].seats = lane_no_chunk;
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

/* Calls that the forked child has in progress as its parent has: they will end twice, so they have started twice. What
 * is counted of them beside, the child has to have as well. */
static void lane_balance(const struct lane *lane)
{
    for (struct record *record = lane->current; record != &lane_bottom; record = record->outer) {
        if (atomic_load(&record->state) != RECORD_LIVE)
            continue;
        if (record_is_begun(record))
            counters_add(lane, record->hook, CELL_STARTED, 1);
        if (record->target == (void *)RECORD_ENDING)
            halfway_count_duration(lane, record, 1);
    }
}

/* Without seats the lane's other chunks do, as long as there is memory for those. */
static void lane_claim_seats(struct lane *lane)
{
    struct chunk *seats = chunk_claim(lane, true);

    if (seats)
        lane->seats = seats;
}

/* The lane's block, of this thread from here on. If the process was taken for dead meanwhile its blocks are others',
 * and it starts anew with fresh ones. */
static void lane_take_block(struct lane *lane)
{
    uint8_t *block = *lane->block_ref;

    if (block)
        block = blocks_keep(block, image_owner());
    if (!block)
        block = blocks_claim(image_owner());
    if (!image_hold())
        block = blocks_claim(image_owner());
    *lane->block_ref = block;
}

/* Lanes of threads that were not copied, once it is known which one was. */
static void lanes_drop_orphans(void)
{
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        uint32_t orphaned = LANE_ORPHANED;

        if (!atomic_compare_exchange_strong(&lanes[i].state, &orphaned, LANE_REAPING))
            continue;
        lanes[i].current = &lane_bottom; /* the parent's calls: it counts them */
        lanes[i].stack_high = 0;
        atomic_store(&lanes[i].state, LANE_FREE);
    }
}

/* Gives the calling thread its lane, with a block if there is one, unless there is no memory for a lane; where
 * callmeter itself is at work, when that is done. Signals are blocked. */
static void lane_attach(void)
{
    bool is_ours = hot_thread.lane == &lane_ours;
    struct lane *lane = is_ours ? hot_thread.own : hot_thread.lane;
    int tid = cpu_own_tid();
    bool is_forked;

    if (lane == &lane_none)
        lane = lane_take(tid);
    if (!lane)
        return;
    is_forked = atomic_load(&lane->state) == LANE_ORPHANED;
    lane->tid = tid;
    lane->thread_pointer = cpu_thread_pointer();
    lane->random = (cpu_ticks() ^ (uint64_t)(unsigned)tid << 32) | 1;
    lane_take_block(lane);
    if (is_forked) {
        lane_balance(lane);
        halfway_move(lane, lane->last_block, segment->block_bytes);
    }
    lane->last_block = *lane->block_ref;
    altstack_attach(&lane->altstack);
    atomic_store(&lane->state, LANE_ATTACHED);
    if (is_forked)
        lanes_drop_orphans();
    if (lane->seats == lane_no_chunk)
        lane_claim_seats(lane);
    hot_thread.own = lane;
    if (is_ours)
        return;
    hot_thread.block_ref = lane->block_ref;
    hot_thread.lane = lane;
    hot_thread.seats = lane->seats;
}

static bool is_forked_unnoticed(void)
{
    return __atomic_load_n(&block_refs[lane_capacity], __ATOMIC_ACQUIRE) != &not_wiped;
}

/* Noted in the segment, for the next start to see who uses it. */
static void process_note(int id)
{
    uint32_t user = __atomic_fetch_add(&segment->user_count, 1, __ATOMIC_RELAXED);

    __atomic_store_n(&segment->users[user % SEGMENT_USERS], (uint32_t)id, __ATOMIC_RELAXED);
}

/* In a forked child everything is as in the parent, but for the wiped blocks and the threads that are not there. Which
 * of the lanes is the forking thread's shows when it comes. */
static void process_begin(void)
{
    int id = image_begin();

    atomic_store(&process_id, id);
    process_note(id);
    if (images_are_many())
        blocks_reclaim();
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++) {
        block_refs[i] = NULL;
        if (atomic_load(&lanes[i].state) > LANE_FREE)
            atomic_store(&lanes[i].state, LANE_ORPHANED);
    }
}

/* Once in each process; two threads of it may come at the same moment. */
static void process_begin_once(void)
{
    uint8_t **mark = &block_refs[lane_capacity];
    uint8_t *seen = NULL;

    if (__atomic_compare_exchange_n(mark, &seen, &begins_now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        process_begin();
        __atomic_store_n(mark, &not_wiped, __ATOMIC_SEQ_CST);
        return;
    }
    while (__atomic_load_n(mark, __ATOMIC_ACQUIRE) != &not_wiped)
        cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void lanes_forked(void)
{
    uint64_t mask;

    if (!lanes || !is_forked_unnoticed())
        return; /* a tracked call was faster: another library's handler, or a signal's */
    own_mask_block(&mask);
    process_begin_once();
    if (hot_thread.own)
        lane_attach();
    else
        lanes_drop_orphans(); /* the forking thread had none */
    own_mask_restore(&mask);
}

/* A child that came by another way than fork(3) finds out at its first tracked call. But that may be a child of vfork
 * of the one that should have noticed. It has its parent's memory, and that can be asked. Where it must not be: the
 * kernel knows a list of robust futexes of what libc has forked, or its parent is the process that is known here; of
 * vfork's child neither is true. Whose parent is in another namespace was not made by vfork (the zygote of a browser).
 */
static bool is_vforked_unnoticed(void)
{
    long parent = cpu_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
    void *head = NULL;
    size_t length;
    long order;

    if (parent == atomic_load(&process_id) || parent == 0)
        return false;
    order = forbidden_is(SYS_kcmp) ? -1 : cpu_syscall(SYS_kcmp, cpu_own_pid(), parent, KCMP_VM, 0, 0, 0);
    if (order >= 0)
        return order == 0;
    if (forbidden_is(SYS_get_robust_list))
        return false;
    return cpu_syscall(SYS_get_robust_list, 0, (long)&head, (long)&length, 0, 0, 0) != 0 || !head;
}

/* A child of vfork runs on its parent's memory: it must leave no trace there but counts. */
bool lane_is_borrowed(void)
{
    if (!lanes || forbidden_is(SYS_getpid))
        return false; /* where this is forbidden, so are children */
    if (is_forked_unnoticed())
        return is_vforked_unnoticed();
    return cpu_own_pid() != atomic_load(&process_id);
}

void lanes_ending(enum segment_abandoned_reason reason)
{
    if (!lanes || is_forked_unnoticed() || lane_is_borrowed())
        return;
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++)
        if (block_refs[i])
            __atomic_store_n(&((uint64_t *)block_refs[i])[BLOCK_ENDING], 1 + (uint64_t)reason, __ATOMIC_RELEASE);
}

void lanes_not_ending(void)
{
    if (!lanes || is_forked_unnoticed() || lane_is_borrowed())
        return;
    for (uint32_t i = 0; i < atomic_load(&lanes_used); i++)
        if (block_refs[i])
            __atomic_store_n(&((uint64_t *)block_refs[i])[BLOCK_ENDING], 0, __ATOMIC_RELEASE);
}

struct lane *lane_here(void)
{
    uint64_t mask;

    if (hot_thread.lane == &lane_ours || hot_thread.lane == &lane_shared || *hot_thread.lane->block_ref ||
        !forbidden_lets_attach())
        return hot_thread.lane;
    own_mask_block(&mask);
    if (!lane_is_borrowed()) {
        process_begin_once();
        lane_attach();
    }
    own_mask_restore(&mask);
    return hot_thread.lane;
}

void lane_prepare(void)
{
    struct lane *lane = lanes ? lane_here() : &lane_none;

    if (lane != &lane_none && lane != &lane_ours && lane != &lane_shared)
        lane_stack(lane);
}

static void *map_private(size_t bytes)
{
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return address < 0 && address > -4096 ? NULL : (void *)address;
}

int lanes_init(const struct lane_config *config)
{
    uint32_t capacity = config->segment->block_capacity;
    size_t refs_bytes = ((size_t)(capacity + 1) * sizeof(*block_refs) + 4095) & ~(size_t)4095;
    struct lane *made = map_private(capacity * sizeof(*made));
    long result;

    segment = config->segment;
    blocks_init(segment, config->is_file);
    block_refs = map_private(refs_bytes);
    if (!made || !block_refs)
        return -ENOMEM;
    result = cpu_syscall(SYS_madvise, (long)block_refs, (long)refs_bytes, MADV_WIPEONFORK, 0, 0, 0);
    if (result != 0)
        return (int)result;
    lane_capacity = capacity;
    images_init(capacity); /* without it process ids have to do */
    process_begin_once();
    if (!config->is_data_scanned)
        records_init();
    lanes_publish(made, config);
    return 0;
}
