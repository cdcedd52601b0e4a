/* clone(2), which the preload object stands in for: two tasks on one thread-local storage are two writers of one lane.
 */
#include <dlfcn.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>

#include "preload/lane.h"
#include "preload/masks.h"

#define PUBLIC __attribute__((visibility("default")))

typedef int (*clone_function)(int (*)(void *), void *, int, void *, ...);

static clone_function real_clone;

/* The caller and what it makes run at the same time, on its memory, and both take its thread pointer for their own. */
static bool shares_storage(int flags)
{
    return (flags & CLONE_VM) && !(flags & (CLONE_VFORK | CLONE_SETTLS));
}

static void resolve(void)
{
    struct lane *before = lane_enter();

    *(void **)&real_clone = dlsym(RTLD_NEXT, "clone");
    lane_leave(before);
}

PUBLIC int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    va_list rest;
    void *parent_id;
    void *storage;
    void *child_id;

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
    return real_clone(function, stack, flags, argument, parent_id, storage, child_id);
}
