#include "preload/slow.h"

#include "preload/chain.h"
#include "preload/counters.h"
#include "preload/lane.h"
#include "preload/stack.h"

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

    if (hot_lane == &lane_ours)
        return SLOW_BYPASS;
    lane = lane_here();
    if (!*lane->block_ref) {
        counters_add_untimed(lane, hook);
        return SLOW_BYPASS;
    }
    if (lane->chunk->free)
        return SLOW_RETRY;
    lane_signals_block(&mask);
    if (!chain_find_chunk(lane)) {
        counters_add_untimed(lane, hook);
        answer = SLOW_BYPASS;
    }
    lane_signals_restore(&mask);
    return answer;
}

void slow_count(const struct hook *hook)
{
    if (hot_lane != &lane_ours)
        counters_add(lane_here(), hook, CELL_SUCCESS, 1);
}

void slow_entry_check(struct lane *lane, uintptr_t slot)
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
            chain_abandon(lane, record, ABANDONED_LONGJMP);
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
    counters_add_duration(lane, record->hook, now - record->start);
    counters_add_at(lane, record->hook, counters_outcome(record->hook, ret, float_ret), 1);
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
        counters_add_duration(lane, record->hook, now_ticks() - record->start);
        counters_add(lane, record->hook, CELL_ERROR, 1);
    }
    chain_finish(lane, record);
}

void slow_longjmp(uintptr_t target, uintptr_t from)
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
            chain_abandon(lane, record, ABANDONED_LONGJMP);
            *link = record->outer;
        } else {
            link = &record->outer;
        }
    }
}
