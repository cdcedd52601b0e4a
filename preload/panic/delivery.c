#include "preload/panic/delivery.h"

#include <stddef.h>
#include <ucontext.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/abort.h"
#include "preload/panic/panic.h"
#include "preload/signals/actions.h"
#include "preload/signals/masks.h"
#include "preload/signals/notes.h"
#include "preload/signals/relocated.h"
#include "preload/signals/sender.h"
#include "preload/threads/altstack.h"
#include "preload/threads/attach.h"

static void entry(int signal, siginfo_t *info, void *context);

/* Not inlined: what follows it in `entry` may run on a stack that has no room for this. */
static __attribute__((noinline)) void call_handler(int signal, siginfo_t *info, void *context,
                                                   const struct kernel_action *action)
{
    uint64_t blocked = action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
    stack_t *stack = &((ucontext_t *)context)->uc_stack;
    stack_t own_stack = *stack;
    bool is_stack_hidden;
    bool is_hiding = !lane_is_borrowed();
    uint64_t before = 0;
    struct relocated relocated;
    struct signals_note note = {
        .self = &note,
        .outer = signals_thread.note,
        .info = info,
        .context = context,
        .signal = signal,
        .pid = cpu_own_pid(),
    };

    if (sender_is_outside(info))
        signals_thread.sent = signals_place_of(signal, context);
    relocated_hide(context, &relocated);
    note.ip = signals_place_of(signal, context).ip;
    signals_thread.note = &note;
    is_stack_hidden = altstack_hide(stack);
    if (is_hiding)
        before = masks_begin(context, blocked);
    ((void (*)(int, siginfo_t *, void *))action->handler)(signal, info, context);
    if (is_hiding)
        masks_end(context, before);
    signals_thread.note = note.outer;
    note.self = NULL;
    if (is_stack_hidden)
        *stack = own_stack;
    relocated_show(context, &relocated);
}

/* abort(3) goes on when its signal came to nothing, and ends the program where nobody sees it. */
static void check_abort(int signal, siginfo_t *info, ucontext_t *context)
{
    if (signal == SIGABRT && abort_is_caller(info, context))
        panic_end(signal, info, context);
}

/* The program's handler cannot be called: the kernel ends the program then. */
static void take_overflow(ucontext_t *context)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

    panic_take(SIGSEGV, &info, context);
}

/* The stack that the thread got from us is for what the program has no handler for: without us, its handler would have
 * been called on the stack that the signal came on. The kernel's frame is moved there, and all begins again. true: it
 * has no room there, and the program ends. */
static bool move_to_program_stack(int signal, const siginfo_t *info, ucontext_t *context)
{
    const stack_t *stack = &context->uc_stack;
    uintptr_t low = (uintptr_t)stack->ss_sp;
    uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    uintptr_t distance;

    if ((uintptr_t)context - low >= stack->ss_size || sp - low < stack->ss_size || !altstack_is_own(stack))
        return false;
    distance = cpu_move_signal_frame(context, sp);
    if (distance != 0)
        cpu_resume_handler(signal, (uintptr_t)info + distance, (uintptr_t)context + distance, (uintptr_t)entry);
    take_overflow(context);
    return true;
}

/* Hardware that reports a page it has found broken, which nobody has touched, is no fault. */
static bool is_fault(int signal, const siginfo_t *info)
{
    return info->si_code > 0 && !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

static void entry(int signal, siginfo_t *info, void *context)
{
    struct kernel_action action;

    cpu_allow_unaligned();
    if (panic_is_own(signal, info, context))
        return;
    if (masks_is_hidden(signal)) {
        if (is_fault(signal, info))
            panic_take_blocked(signal, info, context);
        else
            masks_postpone(signal, info, context);
        return;
    }
    action = signals_action(signal);
    if (signals_is_function(action.handler) && move_to_program_stack(signal, info, context))
        return;
    if (signals_is_function(action.handler) && (action.flags & (uint64_t)(uint32_t)SA_RESETHAND) &&
        !signals_take_handler(signal, action.handler))
        action.handler = (uintptr_t)SIG_DFL;
    if (signals_is_function(action.handler)) {
        call_handler(signal, info, context, &action);
        check_abort(signal, info, context);
    } else if (action.handler == (uintptr_t)SIG_IGN && info->si_code <= 0) {
        check_abort(signal, info, context);
    } else {
        panic_take(signal, info, context);
    }
}

void panic_leave(void)
{
    struct signals_note *note = signals_thread.note;

    if (!note || signals_thread.is_ending)
        return;
    signals_thread.note = NULL;
    if (signals_is_in_handler(note, (uintptr_t)__builtin_frame_address(0)) && note->pid == cpu_own_pid())
        panic_end(note->signal, note->info, note->context);
}

void delivery_init(const struct panic_config *config)
{
    signals_init(entry);
    panic_init(config);
}
