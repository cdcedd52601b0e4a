#include "preload/calls/slow.h"

#include "preload/calls/extra.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/stack_range.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/signals/notes.h"
#include "preload/threads/attach.h"

static uint64_t (*now_ticks)(void);

void slow_init(uint64_t (*now)(void))
{
    now_ticks = now;
}

int slow_entry(const struct hook *hook)
{
    struct lane *lane;
    uint64_t mask;
    int answer = SLOW_RETRY;

    if (hot_thread.lane == &lane_ours)
        return SLOW_BYPASS;
    lane = lane_here();
    if (!*lane->block_ref) {
        counters_add_untimed(lane, hook);
        return SLOW_BYPASS;
    }
    if (lane->chunk->free)
        return SLOW_RETRY;
    own_mask_block(&mask);
    if (!chain_find_chunk(lane)) {
        counters_add_untimed(lane, hook);
        answer = SLOW_BYPASS;
    }
    own_mask_restore(&mask);
    return answer;
}

void slow_count(const struct hook *hook, const uint64_t *registers, const uint64_t *stack, const uint64_t (*vectors)[2])
{
    struct read_call call = {.registers = registers, .stack = stack, .vectors = vectors};

    if (hot_thread.lane == &lane_ours)
        return;
    call.lane = lane_here();
    if (hook->extra)
        extra_count(call.lane, hook, &call);
    else
        counters_add(call.lane, hook, CELL_SUCCESS, 1);
}

void slow_entry_check(struct lane *lane, uintptr_t slot)
{
    struct stack_range stack = lane_stack(lane);
    bool is_tail_call = chain_is_exit(*(const void *const *)slot);
    struct record **link = &lane->current;

    while (*link != &lane_bottom) {
        struct record *record = *link;

        if (atomic_load(&record->state) != RECORD_LIVE) {
            *link = record->outer;
        } else if (!stack_range_has(stack, slot)) {
            return;
        } else if (!stack_range_has(stack, record_slot(record))) {
            link = &record->outer;
        } else if (record_slot(record) > slot || (record_slot(record) == slot && is_tail_call)) {
            return;
        } else {
            chain_passed_over(lane, record);
            *link = record->outer;
        }
    }
}

/* No record, no return address: the program cannot go on. It never should come here. */
static void record_lost(void)
{
    __builtin_trap();
}

void slow_exit(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now, struct slow_exit *ret_exit)
{
    struct lane *lane = lane_here();
    struct record *record = chain_find_record(rbx, slot);

    if (!record)
        record_lost();
    ret_exit->caller_rbx = record->caller_rbx;
    ret_exit->return_address = record->return_address;
    record->start = now - record->start;
    extra_finish_late(record, ret, float_ret);
    chain_finish(lane, record);
}

void slow_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct slow_exit *ret_exit)
{
    struct lane *lane = lane_here();
    struct record *record = chain_find_record(rbx, slot);

    if (!record)
        record_lost();
    ret_exit->caller_rbx = record->caller_rbx;
    ret_exit->return_address = record->return_address;
    ret_exit->resume = record->target;
    if (is_forced) {
        counters_add(lane, record->hook, CELL_ABANDONED + ABANDONED_THREAD_EXIT, 1);
    } else {
        record->start = now_ticks() - record->start;
        extra_thrown(record);
    }
    chain_finish(lane, record);
}

/* A jump, and the stacks that it may concern. */
struct jump {
    uintptr_t from;
    uintptr_t target;
    struct stack_range own;       /* of the thread */
    struct stack_range alternate; /* of the signal handler that jumps */
    struct stack_range other;     /* where it jumps from, if that is neither: a coroutine's */
};

/* True if the call at that slot is left for good. On another stack than the thread's own, a jump upwards within one
 * mapping is taken for one within one stack; if it was a switch to a neighbour, chain_finish takes the count back when
 * the call returns. */
static bool jump_leaves(const struct jump *jump, uintptr_t slot)
{
    if (stack_range_has(jump->own, slot))
        return stack_range_has(jump->own, jump->target) && slot < jump->target;
    if (stack_range_has(jump->alternate, slot))
        return !stack_range_has(jump->alternate, jump->target) || slot < jump->target;
    return stack_range_has(jump->other, slot) && stack_range_has(jump->other, jump->target) && slot >= jump->from &&
           slot < jump->target;
}

static void jump_init(struct jump *jump, struct lane *lane, uintptr_t target, uintptr_t from)
{
    *jump = (struct jump){.from = from, .target = target, .own = lane_stack(lane)};
    if (stack_range_has(jump->own, from))
        return;
    jump->alternate = stack_alternate();
    if (!stack_range_has(jump->alternate, from))
        jump->other = stack_range_of(from);
}

void slow_longjmp(uintptr_t target, uintptr_t from, int is_mask_restored)
{
    struct lane *lane = hot_thread.lane;
    struct record **link = &lane->current;
    struct jump jump;

    signals_jumped(target, is_mask_restored != 0);
    if (lane->current == &lane_bottom)
        return;
    jump_init(&jump, lane, target, from);
    while (*link != &lane_bottom) {
        struct record *record = *link;

        if (stack_range_has(jump.own, target) && stack_range_has(jump.own, record_slot(record)) &&
            record_slot(record) >= target)
            return;
        if (jump_leaves(&jump, record_slot(record))) {
            chain_jumped_over(lane, record, !stack_range_has(jump.other, record_slot(record)));
            *link = record->outer;
        } else {
            link = &record->outer;
        }
    }
}
