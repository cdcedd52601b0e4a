#include "preload/processes/interrupted.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "preload/machine/stack_range.h"

enum {
    DEPTH_MAX = 256 * 1024,
};

/* Nothing else is mapped so near below the first stack's top: Linux leaves that much room for it to grow. */
#define FIRST_STACK_BYTES (UINT64_C(128) << 20)

static const uint8_t restorer[] = {0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05}; /* mov $15, %rax; syscall */

static uintptr_t code_low; /* libc's */
static uintptr_t code_high;
static uintptr_t stack_top;

static int find_code(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t inside = (uintptr_t)context;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || inside - begin >= segment->p_memsz)
            continue;
        code_low = begin;
        code_high = begin + segment->p_memsz - sizeof(restorer);
        return 1;
    }
    return 0;
}

/* Any function of libc's will do that is nobody's business to stand in for. */
void interrupted_init(void)
{
    dl_iterate_phdr(find_code, dlsym(RTLD_NEXT, "gnu_get_libc_version"));
    stack_top = getauxval(AT_RANDOM) & ~(uintptr_t)7;
}

/* Not memcmp: that is the program's, and may be tracked. */
static bool is_restorer(const uint8_t *code)
{
    for (size_t i = 0; i < sizeof(restorer); i++)
        if (code[i] != restorer[i])
            return false;
    return true;
}

/* What the kernel pushes: the restorer's address, then the context. */
static bool is_frame(const uintptr_t *word)
{
    const ucontext_t *context = (const ucontext_t *)(word + 1);
    uintptr_t sp;

    if (*word < code_low || *word >= code_high || !is_restorer((const uint8_t *)*word))
        return false;
    if ((uintptr_t)(context + 1) > stack_top)
        return false;
    sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    return sp > (uintptr_t)word && sp < stack_top && context->uc_link == NULL;
}

bool interrupted_maybe(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = here + DEPTH_MAX < stack_top ? here + DEPTH_MAX : stack_top;

    if (stack_alternate().high != 0 || here >= stack_top || stack_top - here > FIRST_STACK_BYTES)
        return true;
    for (const uintptr_t *word = (const uintptr_t *)here; (uintptr_t)word < end; word++)
        if (is_frame(word))
            return true;
    return end < stack_top;
}
