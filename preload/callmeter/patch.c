#include "preload/callmeter/patch.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((uintptr_t)4096)

static int compare_windows(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t)((const struct patch *)left)->window;
    uintptr_t b = (uintptr_t)((const struct patch *)right)->window;

    return a < b ? -1 : a > b;
}

static uintptr_t first_page(const struct patch *patch)
{
    return (uintptr_t)patch->window & ~(PAGE - 1);
}

static uintptr_t end_page(const struct patch *patch)
{
    return ((uintptr_t)patch->window + patch->plan->window_bytes + PAGE - 1) & ~(PAGE - 1);
}

/* The jump, and int3 in what is left of the window: nothing is meant to run there. No libc call in here: the function
 * that is being written may be the one that would be called. */
static void write_jump(const struct patch *patch, bool is_live)
{
    int32_t distance = (int32_t)(patch->target - (patch->window + PLAN_JUMP_BYTES));
    volatile uint8_t *window = patch->window;

    if (is_live) {
        *(volatile uint16_t *)window = 0xfeeb; /* jmp to itself */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    for (unsigned i = 2; i < PLAN_JUMP_BYTES; i++)
        window[i] = (uint8_t)(distance >> ((i - 1) * 8));
    for (unsigned i = PLAN_JUMP_BYTES; i < patch->plan->window_bytes; i++)
        window[i] = 0xcc;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *(volatile uint16_t *)window = (uint16_t)(0xe9 | (distance & 0xff) << 8);
}

struct protection {
    uintptr_t address;
    int flags; /* PROT_... */
};

static int match_segment(struct dl_phdr_info *info, size_t size, void *context)
{
    struct protection *protection = context;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || protection->address < begin ||
            protection->address - begin >= segment->p_memsz)
            continue;
        protection->flags = (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                            (segment->p_flags & PF_X ? PROT_EXEC : 0);
        return 1;
    }
    return 0;
}

/* What the object's file asks for: code that modifies itself lies in a writable segment. */
static int protection_of(const struct patch *patch)
{
    struct protection protection = {(uintptr_t)patch->window, PROT_READ | PROT_EXEC};

    dl_iterate_phdr(match_segment, &protection);
    return protection.flags;
}

/* A run of patches on adjacent pages. */
static void apply_run(struct patch *patches, size_t count, bool is_live)
{
    uintptr_t begin = first_page(&patches[0]);
    uintptr_t end = end_page(&patches[count - 1]);
    int protection = protection_of(&patches[0]);
    int result = 0;

    if (mprotect((void *)begin, end - begin, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        result = -errno;
    for (size_t i = 0; i < count; i++) {
        patches[i].result = result;
        if (result == 0)
            write_jump(&patches[i], is_live);
    }
    mprotect((void *)begin, end - begin, protection);
}

void patch_apply(struct patch *patches, size_t count, bool is_live)
{
    size_t run = 0;

    qsort(patches, count, sizeof(*patches), compare_windows);
    for (size_t i = 1; i <= count; i++) {
        if (i < count && first_page(&patches[i]) <= end_page(&patches[i - 1]))
            continue;
        apply_run(&patches[run], i - run, is_live);
        run = i;
    }
}
