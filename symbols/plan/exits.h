/* How a function is left: by jumps to others, and what follows of it. Private to symbols/plan/. */
#ifndef CALLMETER_SYMBOLS_PLAN_EXITS_H
#define CALLMETER_SYMBOLS_PLAN_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/plan/plan.h"
#include "symbols/plan/tails.h"

struct look;

enum {
    EXITS_NAMED_MAX = 16,
    EXITS_THIN_BYTES_MAX = 96, /* a test and a jump are no longer */
};

/* One function while it is scanned; zeroed but for the first members. */
struct exits {
    const struct tails *tails;
    const struct plan_request *request;
    uint64_t named[EXITS_NAMED_MAX]; /* code of others, of which it takes the address */
    size_t named_count;
    enum plan_reason loaded; /* what the function whose address it loads would mean */
    bool has_call;
    bool has_frame;
    bool adds_argument; /* sets a register that arguments are passed in to something that is none of its own */
    bool jumps;         /* through a register, or memory that is not known */
    /* The answers, when all was noted. */
    enum plan_reason tail;
    bool is_profiled;
    uint64_t body; /* see patch_plan */
    uint64_t body_bytes;
};

/* How the stack is at an instruction. */
enum exits_stack {
    EXITS_AT_CALL, /* as the function found it: a jump to another function is a call */
    EXITS_IN_FRAME,
    EXITS_UNKNOWN,
};

/* Takes note of an instruction at `here`. Context: startup. */
void exits_note(struct exits *exits, const struct look *look, const uint8_t *code, uint64_t here,
                enum exits_stack stack);

/* Makes the answers final. */
void exits_finish(struct exits *exits);

#endif
