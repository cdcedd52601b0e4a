/* Preloaded: seals the text of libimports.so against all changes before anybody else can write there (mseal,
 * Linux 6.10). */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MSEAL = 462,
    PAGE = 4096,
    STATUS_NOT_HERE = 77,
};

static void seal(uintptr_t begin, size_t bytes)
{
    uintptr_t page = begin & ~(uintptr_t)(PAGE - 1);

    if (syscall(MSEAL, page, begin - page + bytes, 0) != 0)
        _exit(STATUS_NOT_HERE);
}

static int look_at_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!strstr(info->dlpi_name, "/libimports.so"))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X)
            seal(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, info->dlpi_phdr[i].p_memsz);
    return 1;
}

__attribute__((constructor)) static void seal_text(void)
{
    dl_iterate_phdr(look_at_object, NULL);
}
