/* The functions of libc that make a child or a thread, which the preload object stands in for: a child may get a
 * companion, and a thread inherits the mask of who makes it. */
#include <dlfcn.h>
#include <pthread.h>
#include <pty.h>
#include <unistd.h>

#include "preload/interpose/interpose.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/companion.h"
#include "preload/signals/masks.h"

static pid_t (*real_fork)(void);
static int (*real_daemon)(int, int);
static int (*real_forkpty)(int *, char *, const struct termios *, const struct winsize *);
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

void fork_calls_resolve(void)
{
    *(void **)&real_fork = dlsym(RTLD_NEXT, "fork");
    *(void **)&real_daemon = dlsym(RTLD_NEXT, "daemon");
    *(void **)&real_forkpty = dlsym(RTLD_NEXT, "forkpty");
    *(void **)&real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
}

static void resolve_first(const void *real)
{
    if (!real)
        fork_calls_resolve();
}

INTERPOSE(pid_t, fork)(void)
{
    struct companion_forking forking;
    pid_t pid;

    resolve_first(*(void **)&real_fork);
    companion_fork_begin(&forking);
    pid = real_fork();
    if (pid == 0)
        companion_fork_child(&forking);
    else
        companion_fork_end(&forking);
    return pid;
}

pid_t __fork(void);

INTERPOSE(pid_t, __fork)(void)
{
    return fork();
}

/* libc's calls its own fork. */
INTERPOSE(int, daemon)(int no_chdir, int no_close)
{
    struct companion_forking forking;
    pid_t parent = cpu_own_pid();
    int result;

    resolve_first(*(void **)&real_daemon);
    companion_fork_begin(&forking);
    result = real_daemon(no_chdir, no_close);
    if (cpu_own_pid() != parent)
        companion_fork_child(&forking);
    else
        companion_fork_end(&forking);
    return result;
}

INTERPOSE(int, forkpty)(int *terminal, char *name, const struct termios *settings, const struct winsize *size)
{
    struct companion_forking forking;
    int pid;

    resolve_first(*(void **)&real_forkpty);
    companion_fork_begin(&forking);
    pid = real_forkpty(terminal, name, settings, size);
    if (pid == 0)
        companion_fork_child(&forking);
    else
        companion_fork_end(&forking);
    return pid;
}

INTERPOSE(int, pthread_create)
(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*routine)(void *),
 void *restrict argument)
{
    int result;

    resolve_first(*(void **)&real_pthread_create);
    masks_settle(); /* the thread inherits the mask */
    result = real_pthread_create(thread, attributes, routine, argument);
    if (result == 0)
        companion_follow();
    return result;
}
