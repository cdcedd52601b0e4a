/* What becomes of a function by those that it ends in a jump to, or that it calls to be profiled. Private to
 * symbols/plan/.
 *
 * A tracked function's callee returns into the trampoline when it is called by a jump: dlopen would take callmeter for
 * its caller. So a function that ends in such a jump is treated as the one that it jumps to. Jumps are followed through
 * the procedure linkage table, through slots that the loader fills, and through any number of functions. */
#ifndef CALLMETER_SYMBOLS_PLAN_TAILS_H
#define CALLMETER_SYMBOLS_PLAN_TAILS_H

#include <stdbool.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

#include "symbols/plan/plan.h"

struct scan_result;

enum {
    TAILS_DEPTH_MAX = 12, /* a longer chain of jumps is not followed */
};

/* Where a scan asks from. */
struct tails {
    const struct plan_object *object;
    const ZydisDecoder *decoder;
    uint64_t root;  /* the function that is planned */
    unsigned depth; /* of jumps, from that function: 0 */
};

/* What a jump to `target` (an address as in requests) means for the function that ends in it: PLAN_REASON_NONE or a
 * reason to only count. is_fragment: the stack is not as at a call, so the target is a part of the same function.
 * Context: startup. */
enum plan_reason tails_at(const struct tails *tails, uint64_t target, bool is_fragment);

/* The same of a jump to where the word at `place` leads. */
enum plan_reason tails_through(const struct tails *tails, uint64_t place);

/* Keeps what a scan of the root has found. */
void tails_know(const struct tails *tails, const struct scan_result *result);

/* True if a call of `target`, or through the word at `place`, is one of mcount or __fentry__. */
bool tails_is_profiler_at(const struct tails *tails, uint64_t target);
bool tails_is_profiler_through(const struct tails *tails, uint64_t place);

/* True if the code there only goes on through a word of memory, as the stubs of the procedure linkage table do. */
bool tails_is_stub(const struct tails *tails, uint64_t target);

#endif
