/* Private to live*.c: memory without libc. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_MEMORY_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_MEMORY_H

#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"

#define LIVE_PAGE         4096
#define LIVE_LOWEST_ERROR (-4095L)

/* Zeroed, and not there before it is touched. NULL: there is none. Context: any. */
static inline void *live_map(size_t bytes)
{
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return address < 0 && address >= LIVE_LOWEST_ERROR ? NULL : (void *)address;
}

/* NULL is none. Context: any. */
static inline void live_unmap(void *memory, size_t bytes)
{
    if (memory)
        cpu_syscall(SYS_munmap, (long)memory, (long)bytes, 0, 0, 0, 0);
}

#endif
