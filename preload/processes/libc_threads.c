#include "preload/processes/libc_threads.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

/* NULL: this libc has none by that name. */
static atomic_int *thread_count;
static volatile char *is_single; /* asked by functions that then take no locks */

void libc_threads_init(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

    if (!libc)
        return;
    thread_count = dlvsym(libc, "__nptl_nthreads", "GLIBC_PRIVATE");
    is_single = dlsym(libc, "__libc_single_threaded"); /* not the program's copy */
}

bool libc_threads_is_one(void)
{
    return thread_count && atomic_load(thread_count) == 1;
}

int libc_threads_believe_one(void)
{
    int before;

    if (!is_single)
        return -1;
    before = *is_single;
    *is_single = 1;
    return before;
}

void libc_threads_believe(int before)
{
    if (before >= 0)
        *is_single = (char)before;
}
