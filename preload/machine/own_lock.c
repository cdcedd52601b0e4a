#include "preload/machine/own_lock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

enum {
    PAGE_BYTES = 4096,
};

static _Atomic uint32_t locks_of_start[OWN_LOCKS];
static _Atomic uint32_t *locks = locks_of_start;

void own_lock_init(void)
{
    long page = cpu_syscall(SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page < 0 && page > -4096)
        return;
    cpu_syscall(SYS_madvise, page, PAGE_BYTES, MADV_WIPEONFORK, 0, 0, 0);
    locks = (_Atomic uint32_t *)page;
}

bool own_lock_try(enum own_lock lock)
{
    uint32_t is_free = 0;

    return atomic_compare_exchange_strong(&locks[lock], &is_free, 1);
}

void own_lock_leave(enum own_lock lock)
{
    atomic_store(&locks[lock], 0);
}

void own_lock_take(enum own_lock lock, uint64_t *ret_mask)
{
    own_mask_block_all(ret_mask);
    while (!own_lock_try(lock))
        cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void own_lock_give(enum own_lock lock, const uint64_t *mask)
{
    own_lock_leave(lock);
    own_mask_restore(mask);
}
