#include "preload/control/patching/live_traps.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "preload/control/patching/live_memory.h"
#include "preload/control/patching/live_window.h"
#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/shim.h"

#define NAP_NS 100000

/* Where one round has int3, or had it. In memory of its own, which stays as long as a trap may be on its way. */
struct live_traps {
    struct live_traps *_Atomic earlier; /* a round whose traps may still be on their way */
    _Atomic bool is_done;
    size_t bytes; /* of this */
    size_t count;
    uintptr_t at[]; /* ascending */
};

/* What outlives a round that ended while a trap might have been on its way. */
static struct {
    bool has_handler;
    struct live_traps *_Atomic latest;
    _Atomic uint32_t handlers_inside; /* that may be reading the lists */
    bool (*_Atomic on_trap)(void);
} installed;

static const struct shim_panics *signals; /* which know the program's action while SIGTRAP is lent */

void live_traps_init(const struct shim_panics *panics)
{
    signals = panics;
}

/* The kernel's end of a program that does not handle it. */
static void die(int signal, const siginfo_t *info)
{
    static const struct kernel_action by_default = {.handler = (uintptr_t)SIG_DFL};

    kernel_action_change(signal, &by_default, NULL);
    cpu_syscall(SYS_rt_tgsigqueueinfo, cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
                cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), signal, (long)info, 0, 0);
}

/* A trap of the program's own: as without us. One that the kernel has raised cannot be ignored. */
static void forward(int signal, siginfo_t *info, ucontext_t *context)
{
    const struct kernel_action action = signals->lent();
    uint64_t blocked;

    if (action.handler == (uintptr_t)SIG_IGN && info->si_code <= 0)
        return;
    __builtin_memcpy(&blocked, &context->uc_sigmask, sizeof(blocked));
    blocked |= action.mask | (action.flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
    own_mask_change(SIG_SETMASK, &blocked, NULL);
    if (action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN)
        die(signal, info);
    else
        ((void (*)(int, siginfo_t *, void *))action.handler)(signal, info, context);
}

static bool is_listed(const struct live_traps *traps, uintptr_t address)
{
    size_t low = 0;
    size_t high = traps->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (traps->at[middle] == address)
            return true;
        if (traps->at[middle] > address)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* The latest round that has had int3 in front of `pc`, or NULL. */
static const struct live_traps *round_of(const struct live_traps *traps, uintptr_t pc)
{
    while (traps && !is_listed(traps, pc - 1))
        traps = traps->earlier;
    return traps;
}

/* True if a thread with that program counter has just executed an int3 of ours. */
static bool is_behind_trap(const void *context, uintptr_t pc)
{
    return round_of(context, pc);
}

/* On a thread that came to a closed window: it waits here, and comes again. Asleep, it is seen elsewhere at once. */
static void trapped(int signal, siginfo_t *info, void *context)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};
    greg_t *pc = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    const struct live_traps *traps;

    installed.handlers_inside++;
    if (installed.on_trap())
        installed.handlers_inside = 1; /* of those that were there no one is in the child */
    traps = round_of(installed.latest, (uintptr_t)*pc);
    if (!traps) {
        installed.handlers_inside--;
        forward(signal, info, context);
        return;
    }
    --*pc;
    while (!traps->is_done)
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    installed.handlers_inside--;
}

/* Nothing may come between the trap and its handler, which would hide the one behind the other, nor into the handler,
 * which would not end if that jumped out of it: signals wait. */
static bool install(void)
{
    const struct kernel_action action = {
        .handler = (uintptr_t)trapped,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | KERNEL_RESTORER_FLAG,
        .mask = ~SIGNALS_RAISED_IN_PLACE,
    };

    installed.has_handler = installed.has_handler || signals->lend(SIGTRAP, &action);
    return installed.has_handler;
}

static void uninstall(void)
{
    if (installed.has_handler)
        signals->take_back(SIGTRAP);
    installed.has_handler = false;
}

struct live_traps *live_traps_arm(const struct patch *patches, size_t count, bool (*on_trap)(void))
{
    size_t bytes = sizeof(struct live_traps) + count * sizeof(uintptr_t);
    struct live_traps *traps = live_threads_take(SIGTRAP) ? live_map(bytes) : NULL;

    if (!traps)
        return NULL;
    traps->bytes = bytes;
    traps->earlier = installed.latest;
    for (size_t i = 0; i < count; i++)
        if (patches[i].result == 0 && live_window_needs_trap(&patches[i]))
            traps->at[traps->count++] = (uintptr_t)patches[i].window;
    installed.on_trap = on_trap;
    installed.latest = traps;
    return install() ? traps : NULL; /* in any case a later round frees it */
}

/* Lists that no handler is reading. */
static void free_earlier(struct live_traps *traps)
{
    struct live_traps *each = traps->earlier;

    traps->earlier = NULL;
    if (installed.handlers_inside > 0) {
        traps->earlier = each;
        return;
    }
    while (each) {
        struct live_traps *next = each->earlier;

        live_unmap(each, each->bytes);
        each = next;
    }
}

/* This round's own list stays until a later one ends: a thread that was seen at the first instruction of the handler
 * has yet to look. */
void live_traps_disarm(struct live_traps *traps, enum live_sight sight)
{
    traps->is_done = true;
    if (!live_threads_left(sight, is_behind_trap, traps))
        return;
    uninstall();
    free_earlier(traps);
}

void live_traps_forked(void)
{
    for (struct live_traps *traps = installed.latest; traps; traps = traps->earlier)
        traps->is_done = true;
    installed.handlers_inside = 0;
    uninstall();
}
