/* clone(2), which the preload object stands in for: two tasks on one thread-local storage are two writers of one lane.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>

#include "preload/interpose/interpose.h"
#include "preload/records/lane.h"
#include "preload/records/own_work.h"
#include "preload/signals/masks.h"

typedef int (*clone_function)(int (*)(void *), void *, int, void *, ...);

static clone_function real_clone;

/* The caller and what it makes run at the same time, on its memory, and both take its thread pointer for their own. */
static bool shares_storage(int flags)
{
    return (flags & CLONE_VM) && !(flags & (CLONE_VFORK | CLONE_SETTLS));
}

/* Glibc's tcbhead_t begins with its own address, and has it again behind the next word. */
static bool is_thread_storage(void *const *storage)
{
    return storage[0] == storage && storage[2] == storage;
}

/* A child like vfork's, on a buffer in place of thread-local storage (a browser's sandbox gives it zeros): the
 * trampolines would read their words from there. Its parent waits for it, so it can have its parent's. */
static bool has_no_storage(int flags, void *const *storage)
{
    const int all = CLONE_VM | CLONE_VFORK | CLONE_SETTLS;

    return (flags & all) == all && storage && !is_thread_storage(storage);
}

static void resolve(void)
{
    struct own_work work;

    own_work_begin(&work);
    *(void **)&real_clone = dlsym(RTLD_NEXT, "clone");
    own_work_end(&work);
}

INTERPOSE(int, clone)(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    va_list rest;
    void *parent_id;
    void *storage;
    void *child_id;
    int saved_errno = errno;
    int result;

    /* Where they are not given, nobody looks at them. */
    va_start(rest, argument);
    parent_id = va_arg(rest, void *);
    storage = va_arg(rest, void *);
    child_id = va_arg(rest, void *);
    va_end(rest);
    if (!real_clone)
        resolve();
    masks_settle();
    if (shares_storage(flags))
        lane_share();
    if (has_no_storage(flags, storage))
        flags &= ~CLONE_SETTLS;
    result = real_clone(function, stack, flags, argument, parent_id, storage, child_id);
    if (result >= 0)
        errno = saved_errno; /* the child may have set its parent's */
    return result;
}
