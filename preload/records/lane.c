#include "preload/records/lane.h"

#include "preload/machine/own_mask.h"
#include "preload/machine/stack_range.h"
#include "preload/records/lanes.h"

static uint8_t *no_block; /* where threads without a block look for theirs */
struct chunk lane_no_chunk[CHUNK_BYTES / sizeof(struct chunk)];

struct record lane_bottom = {.sp = UINTPTR_MAX};
#define LANE_WITHOUT_RECORDS                                                                                           \
    {                                                                                                                  \
        .current = &lane_bottom, .chunk = lane_no_chunk, .seats = lane_no_chunk, .block_ref = &no_block                \
    }
struct lane lane_none = LANE_WITHOUT_RECORDS;
struct lane lane_ours = LANE_WITHOUT_RECORDS;
struct lane lane_shared = LANE_WITHOUT_RECORDS;
__thread struct hot_thread hot_thread
    __attribute__((tls_model("initial-exec"))) = {&lane_none, &no_block, lane_no_chunk, NULL};

struct lane *lanes;
_Atomic uint32_t lanes_used;
static uintptr_t main_thread_pointer;
static uintptr_t main_stack;

void lanes_publish(struct lane *table, const struct lane_config *config)
{
    main_thread_pointer = config->main_thread_pointer;
    main_stack = config->main_stack;
    __atomic_store_n(&lanes, table, __ATOMIC_RELEASE);
}

/* A handler may run between any two of the stores: it then finds no seat of another lane's, and takes what the lane
 * has; or a counted function's block, which is right. */
struct lane *lane_enter(void)
{
    struct lane *before = hot_thread.lane;

    hot_thread.seats = lane_no_chunk;
    atomic_signal_fence(memory_order_seq_cst);
    hot_thread.lane = &lane_ours;
    atomic_signal_fence(memory_order_seq_cst);
    hot_thread.block_ref = &no_block;
    return before;
}

void lane_leave(struct lane *before)
{
    hot_thread.block_ref = before->block_ref;
    atomic_signal_fence(memory_order_seq_cst);
    hot_thread.lane = before;
    atomic_signal_fence(memory_order_seq_cst);
    hot_thread.seats = before->seats;
}

/* The lane that it had stays as it is until the thread is gone. What is in progress there ends as a call does that ends
 * on another thread. */
void lane_share(void)
{
    uint64_t mask;

    if (!lanes || hot_thread.lane == &lane_ours)
        return;
    own_mask_block(&mask);
    lane_enter();
    lane_leave(&lane_shared);
    hot_thread.own = NULL;
    own_mask_restore(&mask);
}

const struct lane *lane_at(size_t index)
{
    return index < atomic_load(&lanes_used) ? &lanes[index] : NULL;
}

struct stack_range lane_stack(struct lane *lane)
{
    struct stack_range range = {lane->stack_low, lane->stack_high};

    if (range.high == 0) {
        range = stack_range_of(lane->thread_pointer == main_thread_pointer ? main_stack : lane->thread_pointer);
        if (lane->thread_pointer > range.low && lane->thread_pointer < range.high)
            range.high = lane->thread_pointer; /* its top; a mapping of something else may follow without a seam */
        lane->stack_low = range.high ? range.low : 1;
        lane->stack_high = range.high ? range.high : 1;
    }
    if (range.low == 1)
        range.low = range.high = 0;
    return range;
}
