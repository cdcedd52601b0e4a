/* Writes into the trampolines where the thread's words lie: displacements that only the loader knew. */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/code_map.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/trampolines.h"

/* Each is the distance from itself to a displacement, which holds the offset in struct hot_thread until it is bound.
 * The linker gives the section's bounds; entry.S makes it. */
extern const int32_t sites[] __asm__("__start_hot_thread_sites") __attribute__((visibility("hidden")));
extern const int32_t sites_end[] __asm__("__stop_hot_thread_sites") __attribute__((visibility("hidden")));

extern char pages[] __asm__("hot_pages") __attribute__((visibility("hidden")));
extern char pages_end[] __asm__("hot_pages_end") __attribute__((visibility("hidden")));

/* In the pages themselves, or in a copy of them. */
static void bind_in(char *copy, ptrdiff_t thread_offset)
{
    for (const int32_t *site = sites; site < sites_end; site++) {
        const char *place = (const char *)site + *site;

        *(int32_t *)(copy + (place - pages)) += (int32_t)thread_offset;
    }
}

/* Puts a copy that is bound in place of the pages. */
static int bind_copy(ptrdiff_t thread_offset, long bytes)
{
    long copy = cpu_syscall(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result;

    if (copy < 0 && copy > -4096)
        return (int)copy;
    for (long i = 0; i < bytes; i++)
        ((char *)copy)[i] = pages[i];
    bind_in((char *)copy, thread_offset);
    result = code_map(pages, (const void *)copy, (size_t)bytes);
    cpu_syscall(SYS_munmap, copy, bytes, 0, 0, 0, 0);
    return result;
}

/* Executable all along: a policy that forbids code to be written says so to the first call, and not only when pages
 * that were made writable are to become code again. */
int trampolines_bind(ptrdiff_t thread_offset)
{
    long bytes = pages_end - pages;

    if (cpu_syscall(SYS_mprotect, (long)pages, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0) != 0)
        return bind_copy(thread_offset, bytes);
    bind_in(pages, thread_offset);
    return (int)cpu_syscall(SYS_mprotect, (long)pages, bytes, PROT_READ | PROT_EXEC, 0, 0, 0);
}
