#include "preload/control/patching/live.h"

#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/control/patching/live_memory.h"
#include "preload/control/patching/live_threads.h"
#include "preload/control/patching/live_traps.h"
#include "preload/control/patching/live_window.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

enum {
    SYSCALL_BYTES = 2,
};

struct live {
    struct patch *patches;
    size_t count;
    void *scratch; /* a page whose protection is changed where there is no membarrier */
    bool has_membarrier;
};

/* What is being written, for a child that another thread forks meanwhile. */
static struct {
    struct patch *patches; /* NULL: nothing */
    const struct window_run *runs;
    size_t run_count;   /* those that are open */
    const char *marked; /* 0 in such a child, whose copy of that page is wiped; in a child of vfork it is not */
} under_way;

/* Afterwards no processor runs this process with what it fetched before. Without membarrier, a page that becomes
 * unwritable is told to all of them by an interrupt, and its return serializes. */
static void sync_processors(const struct live *live)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (live->has_membarrier) {
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0);
    } else if (live->scratch) {
        *(volatile char *)live->scratch = 1;
        cpu_syscall(SYS_mprotect, (long)live->scratch, LIVE_PAGE, PROT_READ, 0, 0, 0);
        cpu_syscall(SYS_mprotect, (long)live->scratch, LIVE_PAGE, PROT_READ | PROT_WRITE, 0, 0, 0);
    }
}

/* The last window that begins before `pc`; they are sorted. NULL: there is none. */
static const struct patch *window_before(const struct live *live, uintptr_t pc)
{
    size_t low = 0;
    size_t high = live->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if ((uintptr_t)live->patches[middle].window >= pc)
            high = middle;
        else
            low = middle + 1;
    }
    return low > 0 ? &live->patches[low - 1] : NULL;
}

/* A system call that is interrupted may be made anew, from its instruction, which lies before where the thread is. */
static bool is_in_a_window(const void *context, uintptr_t pc)
{
    const struct patch *patch = window_before(context, pc);

    return patch && patch->result == 0 && pc < (uintptr_t)patch->window + PLAN_JUMP_BYTES + SYSCALL_BYTES;
}

static void each(const struct live *live, void (*act)(const struct patch *), int result)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == result)
            act(&live->patches[i]);
}

/* Turns down those that threads may be inside of, or that need traps. */
static void turn_down(const struct live *live, bool (*is_meant)(const struct patch *), int result)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == 0 && is_meant(&live->patches[i]))
            live->patches[i].result = result;
}

static bool has_any(const struct live *live, bool (*is_meant)(const struct patch *))
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == 0 && is_meant(&live->patches[i]))
            return true;
    return false;
}

static void write_windows(const struct live *live)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == 0)
            live_window_close(&live->patches[i]);
    sync_processors(live);
    if (has_any(live, live_window_has_inside) && !live_threads_left(is_in_a_window, live))
        turn_down(live, live_window_has_inside, LIVE_BUSY);
    each(live, live_window_fill, 0);
    sync_processors(live);
    each(live, live_window_admit, 0);
    each(live, live_window_give_back, LIVE_BUSY);
    sync_processors(live);
}

static long protect(const struct window_run *run, int protection)
{
    return cpu_syscall(SYS_mprotect, (long)run->begin, (long)(run->end - run->begin), protection, 0, 0, 0);
}

/* Says in its patches whether the run can be written now. */
static void open_run(struct patch *patches, const struct window_run *run)
{
    long result = protect(run, PROT_READ | PROT_WRITE | PROT_EXEC);

    for (size_t i = run->first; i < run->first + run->count; i++)
        patches[i].result = (int)result;
}

static void begin(struct patch *patches, const struct window_run *runs)
{
    char *mark = live_map(LIVE_PAGE);

    under_way.runs = runs;
    under_way.run_count = 0;
    under_way.marked = mark;
    if (!mark)
        return;
    *mark = 1;
    if (cpu_syscall(SYS_madvise, (long)mark, LIVE_PAGE, MADV_WIPEONFORK, 0, 0, 0) == 0)
        under_way.patches = patches;
}

static void end(void)
{
    under_way.patches = NULL;
    live_unmap((void *)(uintptr_t)under_way.marked, LIVE_PAGE);
}

static void write_live(struct patch *patches, size_t count)
{
    struct live live = {.patches = patches, .count = count, .scratch = live_map(LIVE_PAGE)};
    struct traps *list;
    uint64_t mask;

    live.has_membarrier =
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0) == 0;
    own_mask_block(&mask);
    list = has_any(&live, live_window_needs_trap) ? live_traps_begin(patches, count, live_forked) : NULL;
    if (!list)
        turn_down(&live, live_window_needs_trap, LIVE_BLOCKED);
    write_windows(&live);
    if (list)
        live_traps_end(list);
    own_mask_restore(&mask);
    live_unmap(live.scratch, LIVE_PAGE);
}

void live_write(struct patch *patches, size_t count, const struct window_run *runs, size_t run_count)
{
    begin(patches, runs);
    for (size_t i = 0; i < run_count; i++) {
        open_run(patches, &runs[i]);
        __atomic_store_n(&under_way.run_count, i + 1, __ATOMIC_RELEASE);
    }
    write_live(patches, count);
    for (size_t i = 0; i < run_count; i++)
        protect(&runs[i], runs[i].protection);
    end();
}

/* Writes the jumps that are not turned down, and takes back those that are. */
static void finish(const struct patch *patches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (patches[i].result == 0) {
            live_window_close(&patches[i]);
            live_window_fill(&patches[i]);
            live_window_admit(&patches[i]);
        } else if (patches[i].result == LIVE_BUSY) {
            live_window_give_back(&patches[i]);
        }
    }
    live_traps_forked();
}

void live_forked(void)
{
    struct patch *patches = under_way.patches;

    if (!patches || *under_way.marked)
        return;
    under_way.patches = NULL;
    for (size_t i = 0; i < under_way.run_count; i++) {
        const struct window_run *run = &under_way.runs[i];

        /* They may be closed already in part. */
        if (protect(run, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
            continue;
        finish(patches + run->first, run->count);
        protect(run, run->protection);
    }
}
