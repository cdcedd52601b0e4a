#include "preload/control/memory/memory_limits.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
    BLOCKS_FEW = 8,
    SHARE = 64, /* a reservation is at most one part in so many */
};

#define ARENA_MUCH   (UINT64_C(1) << 30) /* a limit up to here: 64 MiB are a good part of it */
#define STRICT_LIMIT (UINT64_C(1) << 30) /* taken for the limit where the system promises no more than it has */

static uint64_t address_space(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

/* vm.overcommit_memory is 2: a reservation of memory that may be written is as dear as a use. */
static bool is_memory_promised(void)
{
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
    int mode = file ? fgetc(file) : EOF;

    if (file)
        fclose(file);
    return mode == '2';
}

uint32_t memory_limits_blocks(uint32_t wanted, uint64_t block_bytes)
{
    uint64_t limit = address_space();
    uint64_t most;

    if (limit > STRICT_LIMIT && is_memory_promised())
        limit = STRICT_LIMIT;
    if (limit == UINT64_MAX)
        return wanted;
    most = limit / SHARE / block_bytes;
    if (most >= wanted)
        return wanted;
    return most < BLOCKS_FEW ? BLOCKS_FEW : (uint32_t)most;
}

/* Asked of the C library itself: an allocator that stands in for its own may have a mallopt, too. */
void memory_limits_apply_to_threads(void)
{
    void *libc = address_space() <= ARENA_MUCH ? dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD) : NULL;
    int (*set_option)(int, int) = NULL;

    if (!libc)
        return;
    *(void **)&set_option = dlsym(libc, "mallopt");
    if (set_option)
        set_option(M_ARENA_MAX, 1);
    dlclose(libc);
}
