#include "preload/calls/enter.h"

#include "preload/calls/extra.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/stack_range.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/threads/attach.h"

int enter_slow(const struct hook *hook)
{
    struct lane *lane;
    uint64_t mask;
    int answer = ENTER_RETRY;

    if (hot_thread.lane == &lane_ours)
        return ENTER_BYPASS;
    lane = lane_here();
    if (!*lane->block_ref) {
        counters_add_untimed(lane, hook);
        return ENTER_BYPASS;
    }
    if (lane->chunk->free)
        return ENTER_RETRY;
    own_mask_block(&mask);
    if (!chain_find_chunk(lane)) {
        counters_add_untimed(lane, hook);
        answer = ENTER_BYPASS;
    }
    own_mask_restore(&mask);
    return answer;
}

void enter_counted(const struct hook *hook, const uint64_t *registers, const uint64_t *stack,
                   const uint64_t (*vectors)[2])
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

void enter_check(struct lane *lane, uintptr_t slot)
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
