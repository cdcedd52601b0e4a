/* Where a signal came, as the program sees itself. A tracked function's first instructions run as a copy, in the
 * function's stub. What happens there is shown to the program's handlers, and in its core, where it would have been
 * without callmeter: a handler may know its own code by address. */
#ifndef CALLMETER_PRELOAD_SIGNALS_RELOCATED_H
#define CALLMETER_PRELOAD_SIGNALS_RELOCATED_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* The registers that a stub changes. */
struct relocated_registers {
    uintptr_t pc;
    uintptr_t sp;
    uint64_t rbx;
};

/* What knows the stubs. Context of both: signal. */
struct relocated_map {
    /* If the registers' pc is in a stub: sets them to what they would be in the unpatched function. */
    bool (*back)(struct relocated_registers *registers);
    /* `stub_pc` is in a stub. If *pc is an instruction that has a copy there: sets it to the copy. */
    bool (*forth)(uintptr_t stub_pc, uintptr_t *pc);
};

/* What relocated_show needs to know. */
struct relocated {
    bool is_hidden;
    struct relocated_registers real;
    struct relocated_registers shown;
};

/* Context: startup, once. Before that, and without it, nothing is relocated. */
void relocated_init(const struct relocated_map *map);

/* The context becomes what it would be without stubs. Context: signal. */
void relocated_hide(ucontext_t *context, struct relocated *ret_relocated);

/* And what it is again, so that the thread can go on: where it was, or at another instruction that the program's
 * handler chose. Context: signal. */
void relocated_show(ucontext_t *context, const struct relocated *relocated);

#endif
