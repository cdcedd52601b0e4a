#include "preload/control/patching/live.h"

#include <linux/membarrier.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/control/patching/live_memory.h"
#include "preload/control/patching/live_threads.h"
#include "preload/control/patching/live_traps.h"
#include "preload/control/patching/live_window.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/shim.h"

enum {
    SYSCALL_BYTES = 2,
};

struct round {
    struct patch *patches;
    size_t count;
    const struct window_run *runs;
    size_t run_count;
    _Atomic size_t open_runs; /* whose patches have a result */
    enum live_sight sight;
    struct live_traps *traps; /* NULL: none of its windows is closed with int3 */
    void *scratch;            /* a page whose protection is changed where there is no membarrier */
    bool has_membarrier;
};

static bool finish_forked(void);

static struct round current; /* for a child that is forked meanwhile, too */
static _Atomic bool is_under_way;

/* 0 in a forked child, whose copy of that page is wiped; in a child of vfork it is not. Stays for ever: a trap that
 * comes late, when the round is over, looks there. */
static volatile char *mark;

static bool make_mark(void)
{
    void *page = mark ? NULL : live_map(LIVE_PAGE);

    if (page && cpu_syscall(SYS_madvise, (long)page, LIVE_PAGE, MADV_WIPEONFORK, 0, 0, 0) == 0)
        mark = page;
    else
        live_unmap(page, LIVE_PAGE);
    return mark;
}

static void begin(struct round *round)
{
    round->scratch = live_map(LIVE_PAGE);
    round->has_membarrier =
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0) == 0;
    if (!make_mark())
        return;
    *mark = 1;
    is_under_way = true;
}

static void end(struct round *round)
{
    is_under_way = false;
    live_unmap(round->scratch, LIVE_PAGE);
}

static bool has_any(const struct round *round, bool (*is_meant)(const struct patch *))
{
    for (size_t i = 0; i < round->count; i++)
        if (round->patches[i].result == 0 && is_meant(&round->patches[i]))
            return true;
    return false;
}

static void turn_down(const struct round *round, bool (*is_meant)(const struct patch *), int result)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->patches[i].result == 0 && is_meant(&round->patches[i]))
            round->patches[i].result = result;
}

static void each(const struct round *round, void (*act)(const struct patch *), int result)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->patches[i].result == result)
            act(&round->patches[i]);
}

static long protect(const struct window_run *run, int protection)
{
    return cpu_syscall(SYS_mprotect, (long)run->begin, (long)(run->end - run->begin), protection, 0, 0, 0);
}

static void open_pages(struct round *round)
{
    for (size_t i = 0; i < round->run_count; i++) {
        const struct window_run *run = &round->runs[i];
        int result = (int)protect(run, PROT_READ | PROT_WRITE | PROT_EXEC);

        for (size_t at = run->first; at < run->first + run->count; at++)
            round->patches[at].result = result;
        round->open_runs = i + 1;
    }
}

static void close_pages(const struct round *round)
{
    for (size_t i = 0; i < round->run_count; i++)
        protect(&round->runs[i], round->runs[i].protection);
}

static bool needs_sight(const struct patch *patch)
{
    return live_window_has_inside(patch) || live_window_needs_trap(patch);
}

static void look(struct round *round)
{
    if (!has_any(round, needs_sight))
        return;
    round->sight = live_threads_look();
    if (round->sight == LIVE_SIGHT_NONE)
        turn_down(round, needs_sight, LIVE_UNSEEN);
    else if (round->sight == LIVE_SIGHT_CALLS)
        turn_down(round, live_window_has_call, LIVE_UNSEEN);
}

static void arm(struct round *round)
{
    if (!has_any(round, live_window_needs_trap))
        return;
    round->traps = live_traps_arm(round->patches, round->count, finish_forked);
    if (!round->traps)
        turn_down(round, live_window_needs_trap, LIVE_BLOCKED);
}

/* Without membarrier, a page that becomes unwritable is told to all processors by an interrupt, and its return
 * serializes. */
static void sync_processors(const struct round *round)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (round->has_membarrier) {
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0);
    } else if (round->scratch) {
        *(volatile char *)round->scratch = 1;
        cpu_syscall(SYS_mprotect, (long)round->scratch, LIVE_PAGE, PROT_READ, 0, 0, 0);
        cpu_syscall(SYS_mprotect, (long)round->scratch, LIVE_PAGE, PROT_READ | PROT_WRITE, 0, 0, 0);
    }
}

/* The last window that begins before `pc`; they are sorted. NULL: there is none. */
static const struct patch *window_before(const struct round *round, uintptr_t pc)
{
    size_t low = 0;
    size_t high = round->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if ((uintptr_t)round->patches[middle].window >= pc)
            high = middle;
        else
            low = middle + 1;
    }
    return low > 0 ? &round->patches[low - 1] : NULL;
}

/* A system call that is interrupted may be made anew, from its instruction, which lies before where the thread is. */
static bool is_in_a_window(const void *context, uintptr_t pc)
{
    const struct patch *patch = window_before(context, pc);

    return patch && patch->result == 0 && pc < (uintptr_t)patch->window + PLAN_JUMP_BYTES + SYSCALL_BYTES;
}

static void clear(const struct round *round)
{
    if (has_any(round, live_window_has_inside) && !live_threads_left(round->sight, is_in_a_window, round))
        turn_down(round, live_window_has_inside, LIVE_BUSY);
}

static void disarm(const struct round *round)
{
    if (round->traps)
        live_traps_disarm(round->traps, round->sight);
}

void live_init(const struct shim *shim)
{
    live_traps_init(shim->panics);
    live_threads_init(shim->lanes->own_thread);
}

void live_write(struct patch *patches, size_t count, const struct window_run *runs, size_t run_count)
{
    struct round *round = &current;
    uint64_t mask;

    *round = (struct round){.patches = patches, .count = count, .runs = runs, .run_count = run_count};
    own_mask_block(&mask);
    begin(round);
    open_pages(round);
    look(round);
    arm(round);
    each(round, live_window_close, 0);
    sync_processors(round);
    clear(round);
    each(round, live_window_fill, 0);
    sync_processors(round);
    each(round, live_window_admit, 0);
    each(round, live_window_give_back, LIVE_BUSY);
    sync_processors(round);
    disarm(round);
    close_pages(round);
    end(round);
    own_mask_restore(&mask);
}

/* From whatever step the round was at. */
static void finish(const struct round *round, const struct window_run *run)
{
    for (size_t i = run->first; i < run->first + run->count; i++) {
        const struct patch *patch = &round->patches[i];

        if (patch->result == 0) {
            live_window_close(patch);
            live_window_fill(patch);
            live_window_admit(patch);
        } else if (patch->result == LIVE_BUSY) {
            live_window_give_back(patch);
        }
    }
}

/* True if this is a child that had it to do. */
static bool finish_forked(void)
{
    const struct round *round = &current;
    uint64_t mask;

    if (!is_under_way || *mark)
        return false;
    own_mask_block(&mask); /* a handler that came to a closed window would wait for what it has interrupted */
    is_under_way = false;
    for (size_t i = 0; i < round->open_runs; i++) {
        const struct window_run *run = &round->runs[i];

        /* They may be closed already in part. */
        if (protect(run, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
            continue;
        finish(round, run);
        protect(run, run->protection);
    }
    live_traps_forked();
    own_mask_restore(&mask);
    return true;
}

void live_forked(void)
{
    finish_forked();
}
