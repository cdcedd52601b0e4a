#include "preload/panic/abort.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>

#include "preload/machine/x86_64/cpu.h"

enum {
    WORDS = 64, /* of the frames of raise(3) and what that calls: about 24 in glibc 2.36 */
};

static uintptr_t abort_low;
static uintptr_t abort_bytes;

void abort_init(void)
{
    void *address = dlsym(RTLD_NEXT, "abort");
    const Elf64_Sym *symbol = NULL;
    Dl_info info;

    if (!address || !dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
        return;
    abort_low = (uintptr_t)address;
    abort_bytes = symbol->st_size;
}

bool abort_is_caller(const siginfo_t *info, const ucontext_t *context)
{
    uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    const uintptr_t *word = (const uintptr_t *)sp;

    if (info->si_code != SI_TKILL || info->si_pid != cpu_own_pid() || sp % 8 != 0 || !cpu_is_readable(sp))
        return false;
    for (unsigned i = 0; i < WORDS; i++, word++) {
        if ((uintptr_t)word % 4096 == 0 && !cpu_is_readable((uintptr_t)word))
            return false;
        if (*word - abort_low < abort_bytes)
            return true;
    }
    return false;
}
