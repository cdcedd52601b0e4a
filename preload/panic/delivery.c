#include "preload/panic/delivery.h"

#include <stddef.h>
#include <ucontext.h>

#include "preload/calls/read.h"
#include "preload/machine/kernel_action.h"
#include "preload/machine/own_lock.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/abort.h"
#include "preload/panic/own_thread.h"
#include "preload/panic/panic.h"
#include "preload/panic/state_repair.h"
#include "preload/panic/wait.h"
#include "preload/records/lane.h"
#include "preload/signals/actions.h"
#include "preload/signals/masks.h"
#include "preload/signals/notes.h"
#include "preload/signals/relocated.h"
#include "preload/signals/sender.h"
#include "preload/threads/altstack.h"
#include "preload/threads/attach.h"

static void entry(int signal, siginfo_t *info, void *context);

/* What is put around a handler of the program's, in this order, and taken away in the other one:
 *
 *   sent        where the signal came, as the kernel says: before the registers are made to look otherwise
 *   relocated   the registers, as the program knows its code: before the note, whose address is one of those
 *   note        which handler runs: before any signal is opened, whose handler may ask
 *   stack       no alternate stack of ours: before the mask, which asks how much room the program's own has
 *   mask        last, since what it opens comes at once */
struct around {
    struct relocated relocated;
    struct signals_note note;
    stack_t own_stack;
    bool is_stack_hidden;
    bool is_mask_hidden;
    uint64_t hidden_before;
};

static void around_begin(struct around *around, const struct arrival *arrival, const struct kernel_action *action)
{
    ucontext_t *context = arrival->context;
    uint64_t blocked = action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(arrival->signal));

    if (arrival->is_from_outside)
        signals_thread.sent = signals_place_of(arrival->signal, context);
    relocated_hide(context, &around->relocated);
    around->note = (struct signals_note){
        .self = &around->note,
        .outer = signals_thread.note,
        .info = arrival->info,
        .context = context,
        .ip = signals_place_of(arrival->signal, context).ip,
        .signal = arrival->signal,
        .pid = cpu_own_pid(),
        .is_from_outside = arrival->is_from_outside,
    };
    signals_thread.note = &around->note;
    around->own_stack = context->uc_stack;
    around->is_stack_hidden = altstack_hide(&context->uc_stack);
    around->is_mask_hidden = !lane_is_borrowed();
    if (around->is_mask_hidden)
        around->hidden_before = masks_begin(context, blocked);
}

static void around_end(struct around *around, ucontext_t *context)
{
    if (around->is_mask_hidden)
        masks_end(context, around->hidden_before);
    if (around->is_stack_hidden)
        context->uc_stack = around->own_stack;
    signals_thread.note = around->note.outer;
    around->note.self = NULL;
    relocated_show(context, &around->relocated);
}

/* Not inlined: `entry` may run on a stack that has no room for what this needs, where it does not come to this. */
static __attribute__((noinline)) void call_handler(const struct arrival *arrival, const struct kernel_action *action)
{
    struct around around;

    around_begin(&around, arrival, action);
    ((void (*)(int, siginfo_t *, void *))action->handler)(arrival->signal, arrival->info, arrival->context);
    around_end(&around, arrival->context);
}

/* abort(3) goes on when its signal came to nothing, and ends the program where nobody sees it. */
static void check_abort(const struct arrival *arrival)
{
    if (arrival->signal == SIGABRT && abort_is_caller(arrival->info, arrival->context))
        panic_end(arrival);
}

/* The program's handler cannot be called: the kernel ends the program then. */
static void take_overflow(ucontext_t *context)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
    struct arrival overflow = {.signal = SIGSEGV, .info = &info, .context = context, .is_fault = true};

    panic_take(&overflow);
}

/* The stack that the thread got from us is for what the program has no handler for: without us, its handler would have
 * been called on the stack that the signal came on. The kernel's frame is moved there, and all begins again. true: it
 * has no room there, and the program ends. */
static bool move_to_program_stack(const struct arrival *arrival)
{
    const stack_t *stack = &arrival->context->uc_stack;
    uintptr_t context = (uintptr_t)arrival->context;
    uintptr_t low = (uintptr_t)stack->ss_sp;
    uintptr_t sp = (uintptr_t)arrival->context->uc_mcontext.gregs[REG_RSP];
    uintptr_t distance;

    if (context - low >= stack->ss_size || sp - low < stack->ss_size || !altstack_is_own(stack))
        return false;
    distance = cpu_move_signal_frame(arrival->context, sp);
    if (distance != 0)
        cpu_resume_handler(arrival->signal, (uintptr_t)arrival->info + distance, context + distance, (uintptr_t)entry);
    take_overflow(arrival->context);
    return true;
}

/* To the program's handler, if it has one for the signal. */
static void deliver(const struct arrival *arrival)
{
    int signal = arrival->signal;
    struct kernel_action action = signals_action(signal);

    if (signals_is_function(action.handler) && move_to_program_stack(arrival))
        return;
    if (signals_is_function(action.handler) && (action.flags & (uint64_t)(uint32_t)SA_RESETHAND) &&
        !signals_take_handler(signal, action.handler))
        action.handler = (uintptr_t)SIG_DFL;
    if (signals_is_function(action.handler)) {
        call_handler(arrival, &action);
        check_abort(arrival);
    } else if (action.handler == (uintptr_t)SIG_IGN && arrival->info->si_code <= 0) {
        check_abort(arrival);
    } else {
        panic_take(arrival);
    }
}

static void deliver_blocked(const struct arrival *arrival)
{
    if (arrival->is_fault)
        panic_take_blocked(arrival);
    else
        masks_postpone(arrival->signal, arrival->info, arrival->context);
}

/* A load of an argument's bytes, where the program has just unmapped or forbidden the page (calls/read.c). true: it
 * goes on behind the load. */
static bool resume_load(const struct arrival *arrival)
{
    greg_t *ip = &arrival->context->uc_mcontext.gregs[REG_RIP];
    uintptr_t resume;

    if ((arrival->signal != SIGSEGV && arrival->signal != SIGBUS) || arrival->info->si_code <= 0)
        return false;
    resume = read_resume((uintptr_t)*ip);
    if (resume)
        *ip = (greg_t)resume;
    return resume != 0;
}

/* A page of the state file that is not there any more. true: it is there again. */
static bool repair_page(const struct arrival *arrival)
{
    return arrival->signal == SIGBUS && arrival->info->si_code > 0 && state_repair(arrival->info->si_addr);
}

/* Hardware that reports a page it has found broken, which nobody has touched, is no fault. */
static bool is_fault(int signal, const siginfo_t *info)
{
    return info->si_code > 0 && !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

/* Five questions, each asked once and here: whose is it? The first two are of faults that nobody is to hear of; the
 * third comes before any that has to do with the program; who sent it is asked before the fifth, which goes by it. */
static void entry(int signal, siginfo_t *info, void *context)
{
    struct arrival arrival = {.signal = signal, .info = info, .context = context, .is_fault = is_fault(signal, info)};

    cpu_allow_unaligned();
    if (resume_load(&arrival))
        return;
    if (repair_page(&arrival))
        return;
    sender_restore(info);
    if (signals_thread.is_own) {
        own_thread_take(&arrival);
        return;
    }
    arrival.is_from_outside = sender_is_outside(info);
    if (panic_wait_is_timers(info))
        panic_time_is_up(&arrival);
    else if (panic_is_under_way())
        panic_take_within(&arrival);
    else if (masks_is_hidden(signal))
        deliver_blocked(&arrival);
    else
        deliver(&arrival);
}

void delivery_leave(void)
{
    struct signals_note *note = signals_thread.note;
    struct arrival arrival;

    if (!note || signals_thread.is_ending)
        return;
    signals_thread.note = NULL;
    if (!signals_is_in_handler(note, (uintptr_t)__builtin_frame_address(0)) || note->pid != cpu_own_pid())
        return;
    arrival = (struct arrival){.signal = note->signal,
                               .info = note->info,
                               .context = note->context,
                               .is_fault = is_fault(note->signal, note->info),
                               .is_from_outside = note->is_from_outside};
    panic_end(&arrival);
}

void delivery_init(const struct panic_config *config)
{
    own_lock_init();
    signals_init(entry);
    panic_init(config);
}
