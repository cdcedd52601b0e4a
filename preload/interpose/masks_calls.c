/* The functions of libc that have to do with the thread's mask, which the preload object stands in for. Those that only
 * need what is hidden to be settled first are in assembly (x86_64/masks_calls.S): they jump on through the pointers
 * here. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "preload/interpose/interpose.h"
#include "preload/interpose/masks_names.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"
#include "preload/signals/masks.h"
#include "preload/threads/attach.h"

typedef int (*mask_function)(int, const sigset_t *, sigset_t *);

static mask_function real_sigprocmask;
static mask_function real_pthread_sigmask;

#define DEFINE(name, pointer)                                                                                          \
    void masks_first_##pointer(void);                                                                                  \
    extern void (*masks_real_##pointer)(void) __attribute__((visibility("hidden")));                                   \
    void (*masks_real_##pointer)(void) = masks_first_##pointer;

MASKS_SETTLED(DEFINE)

#define RESOLVE(name, pointer) *(void **)&masks_real_##pointer = dlsym(RTLD_NEXT, #name);

void masks_calls_resolve(void)
{
    *(void **)&real_sigprocmask = dlsym(RTLD_NEXT, "sigprocmask");
    *(void **)&real_pthread_sigmask = dlsym(RTLD_NEXT, "pthread_sigmask");
    MASKS_SETTLED(RESOLVE)
}

static bool is_plain(int how, const sigset_t *set)
{
    return (how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK) && cpu_is_readable((uintptr_t)set);
}

/* In a handler, or behind one; but not in callmeter's own work, which puts the kernel's mask back by itself. */
static bool is_asked(void)
{
    return (signals_thread.hidden || signals_thread.note) && hot_thread.lane != &lane_ours;
}

/* What would be refused is asked of libc as it is. */
static int change(mask_function real, int how, const sigset_t *set, sigset_t *old)
{
    sigset_t given;
    uint64_t before = signals_thread.hidden;
    uint64_t word;
    int result;

    if (lane_is_borrowed() || (set && !is_plain(how, set))) {
        masks_settle();
        return real(how, set, old);
    }
    if (set) {
        memset(&given, 0, sizeof(given));
        memcpy(&word, set, sizeof(word));
        before = masks_change(how, &word);
        memcpy(&given, &word, sizeof(word));
        set = &given;
    }
    result = real(how, set, old);
    if (old && result == 0) {
        memcpy(&word, old, sizeof(word));
        word |= before;
        memcpy(old, &word, sizeof(word));
    }
    return result;
}

INTERPOSE(int, sigprocmask)(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    if (!real_sigprocmask)
        masks_calls_resolve();
    if (is_asked())
        return change(real_sigprocmask, how, set, old);
    return real_sigprocmask(how, set, old);
}

INTERPOSE(int, pthread_sigmask)(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    if (!real_pthread_sigmask)
        masks_calls_resolve();
    if (is_asked())
        return change(real_pthread_sigmask, how, set, old);
    return real_pthread_sigmask(how, set, old);
}
