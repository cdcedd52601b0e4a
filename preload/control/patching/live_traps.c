#include "preload/control/patching/live_traps.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "preload/control/patching/live_memory.h"
#include "preload/control/patching/live_threads.h"
#include "preload/control/patching/live_window.h"
#include "preload/machine/kernel_action.h"
#include "preload/machine/x86_64/cpu.h"

#define NAP_NS 100000

enum {
    LEAVING_NAPS = 1000,
};

/* Where int3 is, or was. In memory of its own, which stays as long as a trap may be on its way. */
struct traps {
    _Atomic bool is_done;
    size_t count;
    size_t capacity;
    uintptr_t at[]; /* ascending */
};

static struct traps *_Atomic traps;      /* for the handler */
static _Atomic uint32_t handlers_inside; /* that may be reading them */
static struct kernel_action program_action;
static void (*trap_came)(void);

__asm__(".text\n"
        ".type live_restorer, @function\n"
        "live_restorer:\n"
        "mov $15, %eax\n" /* rt_sigreturn */
        "syscall\n"
        ".size live_restorer, . - live_restorer\n");

void live_restorer(void) __attribute__((visibility("hidden")));

static void set_action(const struct kernel_action *action, struct kernel_action *ret_before)
{
    kernel_action_change(SIGTRAP, action, ret_before);
}

/* A trap of the program's own: as without us, but for the mask of its handler. */
static void forward(int signal, siginfo_t *info, void *context)
{
    if (program_action.handler == (uintptr_t)SIG_IGN && info->si_code <= 0)
        return;
    if (program_action.handler == (uintptr_t)SIG_DFL || program_action.handler == (uintptr_t)SIG_IGN) {
        set_action(&program_action, NULL);
        cpu_syscall(SYS_rt_tgsigqueueinfo, cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
                    cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), signal, (long)info, 0, 0);
        return;
    }
    ((void (*)(int, siginfo_t *, void *))program_action.handler)(signal, info, context);
}

/* True if a thread with that program counter has just executed an int3 of ours. */
static bool is_behind_trap(const void *context, uintptr_t pc)
{
    const struct traps *list = context;
    size_t low = 0;
    size_t high = list ? list->count : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (list->at[middle] == pc - 1)
            return true;
        if (list->at[middle] > pc - 1)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* On a thread that came to a closed window: it waits here, and comes again. Asleep, it is seen elsewhere at once. */
static void trapped(int signal, siginfo_t *info, void *context)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};
    greg_t *pc = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    struct traps *list;

    handlers_inside++;
    list = traps;
    if (!is_behind_trap(list, (uintptr_t)*pc)) {
        handlers_inside--;
        forward(signal, info, context);
        return;
    }
    --*pc;
    trap_came();
    while (!list->is_done)
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    handlers_inside--;
}

struct traps *live_traps_begin(const struct patch *patches, size_t count, void (*on_trap)(void))
{
    struct kernel_action action = {
        .handler = (uintptr_t)trapped,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | KERNEL_RESTORER_FLAG,
        .restorer = (uintptr_t)live_restorer,
    };
    struct traps *list = live_threads_take(SIGTRAP) ? live_map(sizeof(*list) + count * sizeof(*list->at)) : NULL;

    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (patches[i].result == 0 && live_window_needs_trap(&patches[i]))
            list->at[list->count++] = (uintptr_t)patches[i].window;
    list->capacity = count;
    trap_came = on_trap;
    traps = list;
    set_action(&action, &program_action);
    return list;
}

/* They wake up from a nap, and leave. */
static bool have_handlers_left(void)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};

    for (int i = 0; i < LEAVING_NAPS && handlers_inside > 0; i++)
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    return handlers_inside == 0;
}

void live_traps_end(struct traps *list)
{
    list->is_done = true;
    if (!live_threads_left(is_behind_trap, list))
        return;
    set_action(&program_action, NULL);
    if (!have_handlers_left())
        return;
    traps = NULL;
    live_unmap(list, sizeof(*list) + list->capacity * sizeof(*list->at));
}

void live_traps_forked(void)
{
    if (!traps)
        return;
    traps->is_done = true;
    set_action(&program_action, NULL);
}
