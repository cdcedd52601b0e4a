/* A scan of a whole function, for what would make a patch at its entry unsafe: branches into the window, uses of rbx,
 * uses of the return address. Private to symbols/plan/. */
#ifndef CALLMETER_SYMBOLS_PLAN_SCAN_H
#define CALLMETER_SYMBOLS_PLAN_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

#include "symbols/plan/plan.h"

struct tails;

struct scan_result {
    bool is_undecodable;         /* control reaches bytes that are no instruction */
    bool jumps_into_window;      /* or takes an address there, or reads the bytes there */
    bool loops_to_window;        /* a jump, not a call, to the window's first byte, from behind the window */
    bool jumps_to_entry;         /* the same where it is a tail call of itself, as far as one can tell */
    bool uses_rbx;               /* reads or writes any part of it */
    bool saves_rbx;              /* stores all of it, before any use */
    bool touches_return_address; /* reads, writes or pops it; or pops arguments at its return */
    bool has_return;
    enum plan_reason table; /* what its tables of jumps mean (tables.h) */
    enum plan_reason tail;  /* what those mean that it ends in a jump to (tails.h) */
    bool is_profiled;       /* it calls mcount or __fentry__ */
    uint64_t body;          /* see patch_plan */
    uint64_t body_bytes;
    bool is_cover;
    bool jumps_through_rbp; /* or rbx or r13: `jmp [rbp]` is how Haskell code returns */
};

/* Reads the function and its cold part from start to end, once. Bytes behind a point that control does not pass (data
 * between functions) may be anything. The window (address, length, endbr64 in front) is the plan's. Context: startup.
 */
void scan_function(const ZydisDecoder *decoder, const struct plan_request *request, const struct patch_plan *plan,
                   struct scan_result *ret_result);

/* Of a function that another ends in a jump to: only touches_return_address, is_profiled and tail. Context: startup. */
void scan_callee(const struct tails *tails, const struct plan_request *request, struct scan_result *ret_result);

#endif
