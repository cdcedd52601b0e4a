#include "preload/interpose/interpose.h"

#include <dlfcn.h>
#include <errno.h>

#include "preload/panic/recover.h"
#include "preload/processes/address_limit.h"
#include "preload/records/own_work.h"

void (*interpose_before_main)(void);

typedef int (*main_function)(int, char **, char **);
typedef int (*start_main_function)(main_function, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static main_function program_main;

void interpose_init(void)
{
    interpose_resolve();
    altstack_calls_resolve();
    credential_calls_resolve();
    exec_resolve();
    exit_calls_resolve();
    filter_calls_resolve();
    system_calls_resolve();
    fork_calls_resolve();
    limit_calls_resolve();
    masks_calls_resolve();
    raise_resolve();
    signals_calls_resolve();
}

static int watched_main(int argc, char **argv, char **envp)
{
    int status;

    recover_begin();
    status = program_main(argc, argv, envp);
    recover_end();
    return status;
}

/* Leaves no frame of its own, unless it must know when main returns: what main's caller looks like is as without us. */
static int before_main(int argc, char **argv, char **envp)
{
    int saved_errno = errno;

    if (interpose_before_main) {
        address_limit_ours_begin();
        interpose_before_main();
        address_limit_ours_end();
    }
    errno = saved_errno;
    if (recover_is_wanted())
        return watched_main(argc, argv, envp);
    return program_main(argc, argv, envp);
}

/* Apart from its caller, which is to leave no frame. */
static __attribute__((noinline)) start_main_function find_start_main(void)
{
    struct own_work work;
    start_main_function real;

    own_work_begin(&work);
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    own_work_end(&work);
    return real;
}

int __libc_start_main(main_function main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end);

/* As glibc's sysdeps/generic/libc-start.h has it. Both of its symbol versions are one function. */
INTERPOSE(int, __libc_start_main)
(main_function main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
 void *stack_end)
{
    start_main_function real = find_start_main();

    program_main = main;
    return real(interpose_before_main || recover_is_wanted() ? before_main : main, argc, argv, init, fini, rtld_fini,
                stack_end);
}
