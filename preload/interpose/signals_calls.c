/* The functions of libc that set actions, which the preload object stands in for. What each does for a claimed signal
 * is what glibc's does, over sigaction(2). */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/interpose/interpose.h"
#include "preload/machine/own_mask.h"
#include "preload/processes/companion.h"
#include "preload/signals/actions.h"

static uint64_t interrupting; /* siginterrupt(3); libc's own set of these is not to be seen */

static __sighandler_t (*real_signal)(int, __sighandler_t);
static __sighandler_t (*real_sysv_signal)(int, __sighandler_t);
static __sighandler_t (*real_sigset)(int, __sighandler_t);
static int (*real_sigignore)(int);
static int (*real_siginterrupt)(int, int);
static int (*real_system)(const char *);
static FILE *(*real_popen)(const char *, const char *);

void signals_calls_resolve(void)
{
    *(void **)&real_signal = dlsym(RTLD_NEXT, "signal");
    *(void **)&real_sysv_signal = dlsym(RTLD_NEXT, "__sysv_signal");
    *(void **)&real_sigset = dlsym(RTLD_NEXT, "sigset");
    *(void **)&real_sigignore = dlsym(RTLD_NEXT, "sigignore");
    *(void **)&real_siginterrupt = dlsym(RTLD_NEXT, "siginterrupt");
    *(void **)&real_system = dlsym(RTLD_NEXT, "system");
    *(void **)&real_popen = dlsym(RTLD_NEXT, "popen");
    signals_find_libc();
}

static void resolve_first(const void *real)
{
    if (!real)
        signals_calls_resolve();
}

int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);
__sighandler_t bsd_signal(int signal, __sighandler_t handler);
__sighandler_t sysv_signal(int signal, __sighandler_t handler);

INTERPOSE(int, sigaction)(int signal, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    companion_settle();
    if (signals_is_virtual(signal))
        return signals_change(signal, action, old);
    return signals_real_action(signal, action, old);
}

INTERPOSE(int, __sigaction)(int signal, const struct sigaction *action, struct sigaction *old)
{
    return sigaction(signal, action, old);
}

static __sighandler_t refuse(void)
{
    errno = EINVAL;
    return SIG_ERR;
}

/* For a claimed signal. `flags` and `mask` are those that libc's function of that name sets. */
static __sighandler_t set_handler(int signal, __sighandler_t handler, int flags, uint64_t mask)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct sigaction old;

    memcpy(&action.sa_mask, &mask, sizeof(mask));
    signals_change(signal, &action, &old);
    return old.sa_handler;
}

INTERPOSE(__sighandler_t, signal)(int number, __sighandler_t handler)
{
    companion_settle();
    if (signals_is_virtual(number) && handler == SIG_ERR)
        return refuse();
    if (signals_is_virtual(number))
        return set_handler(number, handler,
                           __atomic_load_n(&interrupting, __ATOMIC_RELAXED) & SIGNAL_BIT(number) ? 0 : SA_RESTART,
                           SIGNAL_BIT(number));
    resolve_first(*(void **)&real_signal);
    return real_signal(number, handler);
}

INTERPOSE(__sighandler_t, bsd_signal)(int number, __sighandler_t handler)
{
    return signal(number, handler);
}

INTERPOSE(__sighandler_t, ssignal)(int number, __sighandler_t handler)
{
    return signal(number, handler);
}

INTERPOSE(__sighandler_t, __sysv_signal)(int number, __sighandler_t handler)
{
    if (signals_is_virtual(number) && handler == SIG_ERR)
        return refuse();
    if (signals_is_virtual(number))
        return set_handler(number, handler, (int)SA_RESETHAND | SA_NODEFER | SA_INTERRUPT, 0);
    resolve_first(*(void **)&real_sysv_signal);
    return real_sysv_signal(number, handler);
}

INTERPOSE(__sighandler_t, sysv_signal)(int number, __sighandler_t handler)
{
    return __sysv_signal(number, handler);
}

INTERPOSE(__sighandler_t, sigset)(int number, __sighandler_t handler)
{
    __sighandler_t before;
    struct sigaction current;
    sigset_t set;
    sigset_t old;

    if (!signals_is_virtual(number)) {
        resolve_first(*(void **)&real_sigset);
        return real_sigset(number, handler);
    }
    sigemptyset(&set);
    sigaddset(&set, number);
    if (handler == SIG_HOLD) {
        sigprocmask(SIG_BLOCK, &set, &old);
        if (sigismember(&old, number))
            return SIG_HOLD;
        signals_change(number, NULL, &current);
        return current.sa_handler;
    }
    before = set_handler(number, handler, 0, 0); /* SIG_ERR too: libc does not look */
    sigprocmask(SIG_UNBLOCK, &set, &old);
    return sigismember(&old, number) ? SIG_HOLD : before;
}

INTERPOSE(int, sigignore)(int number)
{
    if (signals_is_virtual(number)) {
        set_handler(number, SIG_IGN, 0, 0);
        return 0;
    }
    resolve_first(*(void **)&real_sigignore);
    return real_sigignore(number);
}

INTERPOSE(int, siginterrupt)(int number, int is_interrupting)
{
    struct sigaction action;

    if (!signals_is_virtual(number)) {
        resolve_first(*(void **)&real_siginterrupt);
        return real_siginterrupt(number, is_interrupting);
    }
    signals_change(number, NULL, &action);
    if (is_interrupting) {
        __atomic_fetch_or(&interrupting, SIGNAL_BIT(number), __ATOMIC_RELAXED);
        action.sa_flags &= ~SA_RESTART;
    } else {
        __atomic_fetch_and(&interrupting, ~SIGNAL_BIT(number), __ATOMIC_RELAXED);
        action.sa_flags |= SA_RESTART;
    }
    return signals_change(number, &action, NULL);
}

/* Their children are made in libc. */
INTERPOSE(int, system)(const char *command)
{
    int result;

    resolve_first(*(void **)&real_system);
    signals_spawn_begin();
    result = real_system(command);
    signals_spawn_end();
    return result;
}

INTERPOSE(FILE *, popen)(const char *command, const char *modes)
{
    FILE *result;

    resolve_first(*(void **)&real_popen);
    signals_spawn_begin();
    result = real_popen(command, modes);
    signals_spawn_end();
    return result;
}
