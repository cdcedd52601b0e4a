#include "preload/signals/actions.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/own_lock.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/signals/masks.h"
#include "preload/threads/attach.h"

enum {
    READS_MAX = 1000,
};

static _Atomic uint64_t claimed;
static _Atomic uint64_t ignored; /* of those: by the program, but not in the kernel */
static struct kernel_action actions[KERNEL_SIGNALS];
static _Atomic uint32_t action_version; /* odd while one is being changed */
static uintptr_t restorer;              /* libc's */
static uint64_t known_flags;            /* those that the kernel keeps */
static unsigned spawning;
static int (*real_sigaction)(int, const struct sigaction *, struct sigaction *);
static unsigned releases; /* by threads that may take them back, and for good; the lock is held */
static uint64_t released; /* what was claimed before the first of them; the lock is held */
static signals_entry *entry;

/* A signal whose handler in the kernel is another part's. */
static _Atomic int lent_signal; /* 0: none */
static _Atomic uintptr_t lent_handler;
static struct kernel_action lent_action; /* what the kernel would have for it */

void signals_init(signals_entry *given)
{
    entry = given;
}

void signals_find_libc(void)
{
    *(void **)&real_sigaction = dlsym(RTLD_NEXT, "sigaction");
}

bool signals_is_claimed(int signal)
{
    return signal > 0 && signal < KERNEL_SIGNALS && (atomic_load(&claimed) & SIGNAL_BIT(signal));
}

bool signals_is_virtual(int signal)
{
    return signals_is_claimed(signal) || (signal == lent_signal && signal > 0);
}

/* The kernel raises these itself, and abort(3) its own: ignoring them does not keep the program alive. */
static bool is_forced(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP ||
           signal == SIGSYS || signal == SIGABRT;
}

/* The kernel's actions --------------------------------------------------------------------------------------------- */

/* Written with the lock, read in handlers. */
static void note_action(struct kernel_action *place, const struct kernel_action *action)
{
    atomic_store(&action_version,
                 atomic_load(&action_version) | 1); /* odd already: a child of fork, forked meanwhile */
    *place = *action;
    atomic_fetch_add(&action_version, 1);
}

/* What was interrupted may be a change; a handler then takes what there is. */
static struct kernel_action noted_action(const struct kernel_action *place)
{
    struct kernel_action action;

    for (unsigned i = 0; i < READS_MAX; i++) {
        uint32_t before = atomic_load(&action_version);

        action = *(const volatile struct kernel_action *)place;
        if (before % 2 == 0 && atomic_load(&action_version) == before)
            break;
    }
    return action;
}

/* The kernel's action, or what stands for it while the signal is lent. */
static void kernel_get(int signal, struct kernel_action *ret_action)
{
    kernel_action_change(signal, NULL, ret_action);
    if (signal == lent_signal && ret_action->handler == lent_handler)
        *ret_action = noted_action(&lent_action);
}

/* A child of vfork has the kernel's actions for itself, but not what is noted. */
static void kernel_set(int signal, const struct kernel_action *action)
{
    struct kernel_action found;

    if (signal == lent_signal && !lane_is_borrowed()) {
        kernel_action_change(signal, NULL, &found);
        if (found.handler == lent_handler) {
            note_action(&lent_action, action);
            return;
        }
    }
    kernel_action_change(signal, action, NULL);
}

static void kernel_ignore(int signal)
{
    struct kernel_action action = {.handler = (uintptr_t)SIG_IGN};

    kernel_set(signal, &action);
}

void signals_set_default(int signal)
{
    struct kernel_action action = {.handler = (uintptr_t)SIG_DFL};

    kernel_set(signal, &action);
}

/* What the kernel has while the program has `action`. */
static struct kernel_action action_for_kernel(int signal, const struct kernel_action *action)
{
    struct kernel_action kernel = {
        .handler = (uintptr_t)entry,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | KERNEL_RESTORER_FLAG,
        .restorer = restorer,
    };

    if (signals_is_function(action->handler)) {
        kernel.flags = (action->flags & ~(uint64_t)(uint32_t)SA_RESETHAND) | SA_SIGINFO | KERNEL_RESTORER_FLAG;
        kernel.mask = action->mask;
    } else if (action->handler == (uintptr_t)SIG_IGN) {
        kernel.flags |= SA_RESTART; /* what is ignored interrupts nothing */
        if (!is_forced(signal))
            kernel = *action;
    }
    return kernel;
}

/* The program's actions -------------------------------------------------------------------------------------------- */

/* The lock is held. The kernel gets what it is to have while the program has this. */
static void action_store(int signal, const struct kernel_action *action)
{
    uint64_t bit = SIGNAL_BIT(signal);
    bool is_ignored = action->handler == (uintptr_t)SIG_IGN;
    struct kernel_action kernel = action_for_kernel(signal, action);

    note_action(&actions[signal], action);
    if (is_ignored && is_forced(signal))
        atomic_fetch_or(&ignored, bit);
    else
        atomic_fetch_and(&ignored, ~bit);
    if (is_ignored)
        kernel_ignore(signal); /* which also drops what is pending */
    if (!(is_ignored && spawning))
        kernel_set(signal, &kernel);
}

struct kernel_action signals_action(int signal)
{
    return noted_action(&actions[signal]);
}

bool signals_has_default(int signal)
{
    return signals_action(signal).handler == (uintptr_t)SIG_DFL;
}

static void action_from_program(const struct sigaction *from, struct kernel_action *ret_action)
{
    *ret_action = (struct kernel_action){
        .handler = (uintptr_t)from->sa_handler,
        .flags = ((uint32_t)from->sa_flags | KERNEL_RESTORER_FLAG) & known_flags,
        .restorer = restorer,
    };
    memcpy(&ret_action->mask, &from->sa_mask, SIGNAL_MASK_BYTES);
    ret_action->mask &= ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
}

static void action_to_program(const struct kernel_action *from, struct sigaction *to)
{
    to->sa_handler = (__sighandler_t)from->handler;
    to->sa_flags = (int)(uint32_t)from->flags;
    to->sa_restorer = (void (*)(void))from->restorer;
    memset(&to->sa_mask, 0, sizeof(to->sa_mask));
    memcpy(&to->sa_mask, &from->mask, SIGNAL_MASK_BYTES);
}

static void change_kernels(int signal, const struct kernel_action *next, struct kernel_action *ret_before)
{
    kernel_get(signal, ret_before);
    if (ret_before->handler == (uintptr_t)entry)
        *ret_before = signals_action(signal);
    if (next)
        kernel_set(signal, next);
}

/* One that is lent, and not claimed, has nothing of its own. */
static void change_locked(int signal, const struct kernel_action *next, struct kernel_action *ret_before)
{
    if (!signals_is_claimed(signal)) {
        change_kernels(signal, next, ret_before);
        return;
    }
    *ret_before = actions[signal];
    if (next)
        action_store(signal, next);
}

int signals_change(int signal, const struct sigaction *given, struct sigaction *ret_old)
{
    struct kernel_action next;
    struct kernel_action before;
    uint64_t mask;

    if (given)
        action_from_program(given, &next);
    if (lane_is_borrowed()) {
        change_kernels(signal, given ? &next : NULL, &before);
    } else {
        own_lock_take(OWN_LOCK_ACTIONS, &mask);
        change_locked(signal, given ? &next : NULL, &before);
        own_lock_give(OWN_LOCK_ACTIONS, &mask);
    }
    if (ret_old)
        action_to_program(&before, ret_old);
    return 0;
}

bool signals_take_handler(int signal, uintptr_t handler)
{
    struct kernel_action next;
    uint64_t mask;
    bool is_mine;

    if (lane_is_borrowed()) {
        signals_set_default(signal);
        return true;
    }
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    next = actions[signal];
    is_mine = next.handler == handler;
    next.handler = (uintptr_t)SIG_DFL;
    if (is_mine)
        action_store(signal, &next);
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
    return is_mine;
}

int signals_real_action(int signal, const struct sigaction *action, struct sigaction *ret_old)
{
    if (!real_sigaction)
        signals_find_libc();
    return real_sigaction(signal, action, ret_old);
}

/* Learns libc's restorer, and which flags the kernel keeps. false: something between us and libc has it otherwise. */
static bool learn_kernel(int signal)
{
    struct sigaction probe = {.sa_sigaction = entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct kernel_action found;

    signals_real_action(signal, &probe, NULL);
    kernel_get(signal, &found);
    if (found.handler != (uintptr_t)entry || !(found.flags & KERNEL_RESTORER_FLAG))
        return false;
    restorer = found.restorer;
    signals_note_restorer(restorer);
    found.flags = UINT32_MAX;
    kernel_set(signal, &found);
    kernel_get(signal, &found);
    known_flags = found.flags;
    return true;
}

bool signals_claim(int signal)
{
    struct kernel_action found;
    uint64_t mask;
    bool is_ours;

    if (signal <= 0 || signal >= KERNEL_SIGNALS || signals_is_claimed(signal))
        return false;
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    kernel_get(signal, &found);
    is_ours = found.handler != (uintptr_t)SIG_IGN && (restorer || learn_kernel(signal));
    if (is_ours) {
        atomic_fetch_or(&claimed, SIGNAL_BIT(signal));
        masks_claim(signal);
        action_store(signal, &found);
    } else {
        kernel_set(signal, &found);
    }
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
    return is_ours;
}

bool signals_lend(int signal, const struct kernel_action *action)
{
    struct kernel_action ours = *action;
    struct kernel_action found;
    uint64_t mask;
    bool is_lent;

    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    kernel_get(signal, &found);
    is_lent = restorer || learn_kernel(signal);
    if (is_lent) {
        ours.restorer = restorer;
        note_action(&lent_action, &found);
        lent_handler = ours.handler;
        lent_signal = signal;
    }
    kernel_action_change(signal, is_lent ? &ours : &found, NULL);
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
    return is_lent;
}

void signals_take_back(int signal)
{
    struct kernel_action found;
    uint64_t mask;

    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    kernel_action_change(signal, NULL, &found);
    if (found.handler == lent_handler) /* else the program has set one by a system call of its own */
        kernel_action_change(signal, &lent_action, NULL);
    lent_signal = 0;
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
}

struct kernel_action signals_lent(void)
{
    return noted_action(&lent_action);
}

void signals_release(void)
{
    uint64_t mask;

    if (!entry)
        return;
    masks_settle();
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    if (releases++ == 0) {
        released = atomic_exchange(&claimed, 0);
        for (uint64_t left = released; left; left &= left - 1)
            kernel_set(__builtin_ctzll(left) + 1, &actions[__builtin_ctzll(left) + 1]);
        masks_claim_all(0);
    }
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
}

void signals_reclaim(void)
{
    uint64_t mask;

    if (!entry)
        return;
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    if (releases > 0 && --releases == 0) {
        atomic_store(&claimed, released);
        masks_claim_all(released);
        for (uint64_t left = released; left; left &= left - 1)
            action_store(__builtin_ctzll(left) + 1, &actions[__builtin_ctzll(left) + 1]);
    }
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
}

/* exec ------------------------------------------------------------------------------------------------------------- */

static void set_ignored(uint64_t signals)
{
    for (; signals; signals &= signals - 1) {
        int signal = __builtin_ctzll(signals) + 1;
        struct kernel_action kernel;

        kernel_get(signal, &kernel);
        if (kernel.handler == (uintptr_t)entry) /* else a child of vfork has set it for itself */
            kernel_ignore(signal);
    }
}

static void set_caught(uint64_t signals)
{
    struct kernel_action action = {.handler = (uintptr_t)SIG_IGN};

    for (; signals; signals &= signals - 1) {
        int signal = __builtin_ctzll(signals) + 1;
        struct kernel_action kernel;

        kernel_get(signal, &kernel);
        if (kernel.handler != (uintptr_t)SIG_IGN)
            continue;
        kernel = action_for_kernel(signal, &action);
        kernel_set(signal, &kernel);
    }
}

void signals_exec_begin(void)
{
    masks_settle();
    set_ignored(atomic_load(&ignored));
}

void signals_exec_failed(void)
{
    set_caught(atomic_load(&ignored));
}

/* Two threads may spawn at once: the last one puts our entry back. */
static void spawn_count(int change)
{
    uint64_t mask;

    masks_settle();
    if (atomic_load(&ignored) == 0 && spawning == 0)
        return;
    if (lane_is_borrowed()) {
        (change > 0 ? signals_exec_begin : signals_exec_failed)();
        return;
    }
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    if (change > 0 && spawning++ == 0)
        set_ignored(atomic_load(&ignored));
    if (change < 0 && spawning > 0 && --spawning == 0)
        set_caught(atomic_load(&ignored));
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
}

void signals_spawn_begin(void)
{
    spawn_count(1);
}

void signals_spawn_end(void)
{
    spawn_count(-1);
}

void signals_forked(void)
{
    uint64_t mask;

    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    if (spawning > 0) {
        spawning = 0;
        set_caught(atomic_load(&ignored));
    }
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
}
