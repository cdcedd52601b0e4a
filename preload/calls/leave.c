#include "preload/calls/leave.h"

#include "preload/calls/extra.h"
#include "preload/calls/ticks.h"
#include "preload/records/chain.h"
#include "preload/threads/attach.h"

/* Neither rbx nor the thread's chain leads to a record for the slot, so nobody knows where the call returns to: the
 * program cannot go on. It takes an original that loses rbx, and returns on another thread than it began on. */
static void record_lost(void)
{
    __builtin_trap();
}

void leave_slow(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
                struct leave_exit *ret_exit)
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

void leave_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct leave_exit *ret_exit)
{
    struct lane *lane = lane_here();
    struct record *record = chain_find_record(rbx, slot);

    if (!record)
        record_lost();
    ret_exit->caller_rbx = record->caller_rbx;
    ret_exit->return_address = record->return_address;
    ret_exit->resume = record->target;
    if (is_forced) {
        extra_left(record);
    } else {
        record->start = ticks_now() - record->start;
        extra_thrown(record);
    }
    chain_finish(lane, record);
}
