#include "preload/signals/notes.h"

#include <signal.h>
#include <ucontext.h>

#include "preload/machine/x86_64/cpu.h"

__thread struct signals_thread signals_thread __attribute__((tls_model("initial-exec")));

#define CALLER_STACK_BYTES (UINT64_C(8) << 20) /* how far below its signal's frame a handler may have come */

static uintptr_t restorer; /* 0: not known yet */

void signals_note_restorer(uintptr_t address)
{
    restorer = address;
}

struct signals_place signals_place_of(int signal, const void *context)
{
    const gregset_t *registers = &((const ucontext_t *)context)->uc_mcontext.gregs;

    return (struct signals_place){(uintptr_t)(*registers)[REG_RIP], (uintptr_t)(*registers)[REG_RSP], signal};
}

bool signals_is_in_handler(const struct signals_note *note, uintptr_t sp)
{
    uintptr_t at = (uintptr_t)note;
    const ucontext_t *context;

    if (sp >= at || at - sp > CALLER_STACK_BYTES || !cpu_is_readable(at) || !cpu_is_readable(at + sizeof(*note) - 8) ||
        note->self != note)
        return false;
    context = note->context;
    if ((uintptr_t)context < at || (uintptr_t)context - at > CALLER_STACK_BYTES ||
        !cpu_is_readable((uintptr_t)context - sizeof(uintptr_t)) || !cpu_is_readable((uintptr_t)(context + 1)) ||
        ((const uintptr_t *)context)[-1] != restorer || signals_place_of(note->signal, context).ip != note->ip)
        return false;
    at = (uintptr_t)context->uc_stack.ss_sp;
    if (context->uc_stack.ss_flags == SS_DISABLE || (uintptr_t)note - at >= context->uc_stack.ss_size)
        return true;
    return sp >= at; /* both on the alternate stack */
}

/* Raised in the handler, it comes there, or, if it was blocked, at once when the handler has returned. */
bool signals_is_sent_on(int signal, const siginfo_t *info, const void *context)
{
    struct signals_place *sent = &signals_thread.sent;
    struct signals_place place = signals_place_of(signal, context);
    const struct signals_note *note = signals_thread.note;

    if (info->si_code > 0 || sent->signal != signal)
        return false;
    return (sent->ip == place.ip && sent->sp == place.sp) ||
           (note && note->signal == signal && signals_is_in_handler(note, place.sp) && note->is_from_outside);
}
