#include "preload/control/patching/patch.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

#include "preload/control/patching/live.h"
#include "preload/control/patching/live_threads.h"

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
static void write_jump(const struct patch *patch)
{
    int32_t distance = (int32_t)(patch->target - (patch->window + PLAN_JUMP_BYTES));
    volatile uint8_t *window = patch->window;

    for (unsigned i = 2; i < PLAN_JUMP_BYTES; i++)
        window[i] = (uint8_t)(distance >> ((i - 1) * 8));
    for (unsigned i = PLAN_JUMP_BYTES; i < patch->plan->window_bytes; i++)
        window[i] = 0xcc;
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
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];
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

static struct window_run next_run(const struct patch *patches, size_t count, size_t first)
{
    struct window_run run = {.begin = first_page(&patches[first]), .end = end_page(&patches[first]), .first = first};

    while (first + run.count < count && first_page(&patches[first + run.count]) <= run.end)
        run.end = end_page(&patches[first + run.count++]);
    run.protection = protection_of(&patches[first]);
    return run;
}

/* Says in its patches whether the run can be written now. */
static void open_run(struct patch *patches, const struct window_run *run)
{
    int result = 0;

    if (mprotect((void *)run->begin, run->end - run->begin, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        result = -errno;
    for (size_t i = run->first; i < run->first + run->count; i++)
        patches[i].result = result;
}

static void close_run(const struct window_run *run)
{
    mprotect((void *)run->begin, run->end - run->begin, run->protection);
}

static void apply_still(struct patch *patches, size_t count)
{
    struct window_run run;

    for (size_t first = 0; first < count; first += run.count) {
        run = next_run(patches, count, first);
        open_run(patches, &run);
        for (size_t i = first; i < first + run.count; i++)
            if (patches[i].result == 0)
                write_jump(&patches[i]);
        close_run(&run);
    }
}

/* All at once, so that the threads are waited for once. */
static void apply_live(struct patch *patches, size_t count)
{
    struct window_run *runs = calloc(count + 1, sizeof(*runs));
    size_t run_count = 0;

    for (size_t i = 0; !runs && i < count; i++)
        patches[i].result = -ENOMEM;
    if (!runs)
        return;
    for (size_t first = 0; first < count; first += runs[run_count++].count)
        runs[run_count] = next_run(patches, count, first);
    live_write(patches, count, runs, run_count);
    free(runs);
}

void patch_apply(struct patch *patches, size_t count, bool is_live)
{
    qsort(patches, count, sizeof(*patches), compare_windows);
    if (is_live)
        apply_live(patches, count);
    else
        apply_still(patches, count);
}

bool patch_has_threads(void)
{
    enum live_company company = live_threads_are_there();

    return company == LIVE_NOBODY_KNOWS ? !__libc_single_threaded : company == LIVE_WITH_OTHERS;
}

bool patch_is_refused_live(int result)
{
    return result == LIVE_BUSY || result == LIVE_BLOCKED || result == LIVE_UNSEEN;
}

void patch_explain(int result, char *reason, size_t bytes)
{
    if (result == LIVE_BUSY)
        snprintf(reason, bytes, "a thread may be in its first instructions, and stayed there");
    else if (result == LIVE_BLOCKED)
        snprintf(reason, bytes,
                 "threads may be running it, and one of them blocks SIGTRAP, which is needed to patch it");
    else if (result == LIVE_UNSEEN)
        snprintf(
            reason, bytes,
            "threads may be in its first instructions, and the kernel does not tell where they are (as in a process "
            "that gave up privileges)");
    else
        snprintf(reason, bytes, "its code cannot be made writable (%s; a security policy?)", strerror(-result));
}
