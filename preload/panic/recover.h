/* Recovery: after a fault in a tracked call whose function has `recover`, the call is left as if it had returned that
 * value. What the frames left behind, nobody knows; what is known to be unsafe is refused. */
#ifndef CALLMETER_PRELOAD_PANIC_RECOVER_H
#define CALLMETER_PRELOAD_PANIC_RECOVER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct record;

enum {
    BACKTRACE_FRAMES_MAX = 64,
};

/* What the caller of a tracked function has in the registers that a call preserves. */
struct backtrace_registers {
    uint64_t rbp;
    uint64_t r12;
    uint64_t r13;
    uint64_t r14;
    uint64_t r15;
    bool has_cleanups; /* some frame in between has code to run when it is left by an exception */
    bool has_handler;  /* a signal's handler is in between */
    size_t pc_count;   /* of frames in between, the interrupted one first */
    uintptr_t pcs[BACKTRACE_FRAMES_MAX];
};

/* What the manifest says of one function. */
struct recover_value {
    bool is_given;
    uint64_t value; /* as rax holds it */
};

/* All of it stays valid for ever. */
struct recover_config {
    const struct recover_value *values; /* by hook->index; NULL: nothing is ever recovered */
    size_t count;
    unsigned max_recoveries;
    /* backtrace_to_record (control/reports/backtrace.h). NULL: there is no unwinder. */
    int (*unwind)(const ucontext_t *context, const struct record *record, struct backtrace_registers *ret);
};

/* What a fault is, and what the thread's registers become. */
struct recover_plan {
    int signal;
    const siginfo_t *info;
    const ucontext_t *context;
    struct record *record; /* of the innermost tracked call, or NULL */
    uint64_t value;
    uint64_t rbp, r12, r13, r14, r15;
};

/* Context: startup. */
void recover_init(const struct recover_config *config);

/* Around the program's main, or up to its exit(3): before and after nothing is recovered. recover_is_wanted is false
 * where that does not matter. Context: the program's threads. */
bool recover_is_wanted(void);
void recover_begin(void);
void recover_end(void);

/* Fills in the registers. NULL: the call can be left, and is one of max_recoveries; else why not (static text).
 * Context: signal, one thread at a time. */
const char *recover_prepare(struct recover_plan *plan);

/* Unlinks the record, which is counted already, and makes the handler return to the call's caller. Context: signal. */
void recover_apply(const struct recover_plan *plan, ucontext_t *context);

#endif
