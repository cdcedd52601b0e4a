#include "preload/interpose/raise.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "preload/interpose/interpose.h"
#include "preload/interpose/raise_names.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/panic.h"
#include "preload/signals/actions.h"
#include "preload/signals/cramped.h"
#include "preload/signals/masks.h"
#include "preload/signals/notes.h"
#include "preload/threads/attach.h"

/* libc's, for raise.S. */
#define DEFINE(name)                                                                                                   \
    void raise_first_##name(void);                                                                                     \
    void raise_before_##name(const struct raise_call *call);                                                           \
    extern void (*raise_real_##name)(void) __attribute__((visibility("hidden")));                                      \
    void (*raise_real_##name)(void) = raise_first_##name;

RAISE_ALL(DEFINE)

#define RESOLVE(name) *(void **)&raise_real_##name = dlsym(RTLD_NEXT, #name);

void raise_resolve(void)
{
    RAISE_ALL(RESOLVE)
}

struct ending {
    int signal;
    int code;
    const struct raise_call *call;
};

static void set_registers(const struct raise_call *call, mcontext_t *registers)
{
    greg_t *general = registers->gregs;

    general[REG_RIP] = (greg_t)call->return_address;
    general[REG_RSP] = (greg_t)(uintptr_t)(call + 1);
    general[REG_RBX] = (greg_t)call->rbx;
    general[REG_RBP] = (greg_t)call->rbp;
    general[REG_R12] = (greg_t)call->r12;
    general[REG_R13] = (greg_t)call->r13;
    general[REG_R14] = (greg_t)call->r14;
    general[REG_R15] = (greg_t)call->r15;
}

static void take_panic(void *context)
{
    const struct ending *ending = context;
    siginfo_t info = {.si_signo = ending->signal, .si_code = ending->code};
    ucontext_t place = {.uc_link = NULL};
    struct arrival arrival = {.signal = ending->signal, .info = &info, .context = &place};

    info.si_pid = cpu_own_pid();
    info.si_uid = (uid_t)cpu_syscall(SYS_getuid, 0, 0, 0, 0, 0, 0);
    set_registers(ending->call, &place.uc_mcontext);
    if (!signals_is_sent_on(ending->signal, &info, &place))
        panic_end(&arrival);
    signals_set_default(ending->signal);
}

static bool is_blocked(int signal)
{
    uint64_t mask = 0;

    own_mask_change(SIG_BLOCK, NULL, &mask);
    return mask & SIGNAL_BIT(signal);
}

/* The program is about to send itself the signal. `is_opened`: what is blocked comes all the same. */
static void look_ahead(int signal, int code, bool is_opened, const struct raise_call *call)
{
    struct ending ending = {signal, code, call};

    if (!signals_is_claimed(signal) || lane_is_borrowed() || !cramped_is())
        return;
    masks_settle();
    if (signals_has_default(signal) && (is_opened || !is_blocked(signal)))
        cramped_call(take_panic, &ending);
}

__attribute__((visibility("hidden"))) void raise_before_abort(const struct raise_call *call)
{
    look_ahead(SIGABRT, SI_TKILL, true, call);
}

__attribute__((visibility("hidden"))) void raise_before_raise(const struct raise_call *call)
{
    look_ahead((int)call->first, SI_TKILL, false, call);
}

__attribute__((visibility("hidden"))) void raise_before_kill(const struct raise_call *call)
{
    if (signals_is_claimed((int)call->second) && (int)call->first == cpu_own_pid())
        look_ahead((int)call->second, SI_USER, false, call);
}
