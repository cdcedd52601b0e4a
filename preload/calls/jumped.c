#include "preload/calls/jumped.h"

#include "preload/machine/stack_range.h"
#include "preload/records/chain.h"
#include "preload/records/lane.h"
#include "preload/signals/notes.h"

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

void jumped_to(uintptr_t target, uintptr_t from, int is_mask_restored)
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
