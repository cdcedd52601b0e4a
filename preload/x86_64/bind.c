/* Writes into the trampolines where the thread's words lie: displacements that only the loader knew. */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/x86_64/cpu.h"

/* Each is the distance from itself to a displacement, which holds the offset in struct hot_thread until it is bound.
 * The linker gives the section's bounds; entry.S makes it. */
extern const int32_t sites[] __asm__("__start_hot_thread_sites") __attribute__((visibility("hidden")));
extern const int32_t sites_end[] __asm__("__stop_hot_thread_sites") __attribute__((visibility("hidden")));

extern char pages[] __asm__("hot_pages") __attribute__((visibility("hidden")));
extern char pages_end[] __asm__("hot_pages_end") __attribute__((visibility("hidden")));

int cpu_bind_thread(ptrdiff_t thread_offset)
{
    long bytes = pages_end - pages;
    long result = cpu_syscall(SYS_mprotect, (long)pages, bytes, PROT_READ | PROT_WRITE, 0, 0, 0);

    if (result != 0)
        return (int)result;
    for (const int32_t *site = sites; site < sites_end; site++)
        *(int32_t *)((char *)(uintptr_t)site + *site) += (int32_t)thread_offset;
    return (int)cpu_syscall(SYS_mprotect, (long)pages, bytes, PROT_READ | PROT_EXEC, 0, 0, 0);
}
