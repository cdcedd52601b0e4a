/* The functions of libc that end the program, which the preload object stands in for. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/interpose/interpose.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/delivery.h"
#include "preload/panic/recover.h"
#include "preload/threads/attach.h"

static void (*real_exit)(int);
static void (*real_quick_exit)(int);
static void (*real_exit_now)(int);

void exit_calls_resolve(void)
{
    *(void **)&real_exit = dlsym(RTLD_NEXT, "exit");
    *(void **)&real_quick_exit = dlsym(RTLD_NEXT, "quick_exit");
    *(void **)&real_exit_now = dlsym(RTLD_NEXT, "_exit");
}

static void resolve_first(const void *real)
{
    if (!real)
        exit_calls_resolve();
}

INTERPOSE(void, exit)(int status)
{
    lanes_ending(ABANDONED_PROCESS_EXIT);
    delivery_leave();
    recover_end();
    resolve_first(*(void **)&real_exit);
    real_exit(status);
    __builtin_unreachable();
}

INTERPOSE(void, quick_exit)(int status)
{
    lanes_ending(ABANDONED_PROCESS_EXIT);
    delivery_leave();
    recover_end();
    resolve_first(*(void **)&real_quick_exit);
    real_quick_exit(status);
    __builtin_unreachable();
}

/* May be a child of vfork, or any handler: not the place to look for libc's. */
INTERPOSE(void, _exit)(int status)
{
    lanes_ending(ABANDONED_PROCESS_EXIT);
    delivery_leave();
    if (real_exit_now)
        real_exit_now(status);
    for (;;)
        cpu_syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

INTERPOSE(void, _Exit)(int status)
{
    _exit(status);
}
