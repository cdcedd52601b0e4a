#include "preload/control/patching/live.h"

#include <linux/membarrier.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "preload/control/patching/live_threads.h"
#include "preload/control/patching/patch.h"
#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

#define SELF_JUMP 0xfeeb /* jmp to itself: eb fe */
#define TRAP      0xcc   /* int3 */
#define WORD      8
#define PAGE      4096
#define NAP_NS    100000

enum {
    SYSCALL_BYTES = 2,
    LEAVING_NAPS = 1000,
};

enum way {
    WAY_STORE, /* the whole jump at once */
    WAY_SPIN,
    WAY_TRAP,
};

struct live {
    struct patch *patches;
    size_t count;
    void *scratch; /* a page whose protection is changed where there is no membarrier */
    bool has_membarrier;
};

/* Where int3 is, or was. In memory of its own, which stays as long as a trap may be on its way. */
struct traps {
    _Atomic bool is_done;
    size_t count;
    uintptr_t at[]; /* ascending */
};

static struct traps *_Atomic traps;      /* for the handler */
static _Atomic uint32_t handlers_inside; /* that may be reading them */
static struct kernel_action program_action;

/* Processors
 * --------------------------------------------------------------------------------------------------------------------
 */

/* Afterwards no processor runs this process with what it fetched before. Without membarrier, a page that becomes
 * unwritable is told to all of them by an interrupt, and its return serializes. */
static void sync_processors(const struct live *live)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (live->has_membarrier) {
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0);
    } else if (live->scratch) {
        *(volatile char *)live->scratch = 1;
        cpu_syscall(SYS_mprotect, (long)live->scratch, PAGE, PROT_READ, 0, 0, 0);
        cpu_syscall(SYS_mprotect, (long)live->scratch, PAGE, PROT_READ | PROT_WRITE, 0, 0, 0);
    }
}

/* Windows
 * -----------------------------------------------------------------------------------------------------------------------
 */

static uint8_t jump_byte(const struct patch *patch, unsigned i)
{
    int32_t distance = (int32_t)(patch->target - (patch->window + PLAN_JUMP_BYTES));

    return i == 0 ? 0xe9 : (uint8_t)((uint32_t)distance >> ((i - 1) * 8)); /* jmp rel32 */
}

/* The first instruction's end; a thread may stand there. */
static unsigned first_end(const struct patch *patch)
{
    return patch->plan->instruction_count > 1 ? patch->plan->instructions[1].offset : PLAN_JUMP_BYTES;
}

static bool has_inside(const struct patch *patch)
{
    return first_end(patch) < PLAN_JUMP_BYTES;
}

static enum way way_of(const struct patch *patch)
{
    if ((uintptr_t)patch->window % WORD + PLAN_JUMP_BYTES <= WORD && !has_inside(patch))
        return WAY_STORE;
    /* Two bytes in two words are not seen at once everywhere. */
    return first_end(patch) == 1 || (uintptr_t)patch->window % WORD == WORD - 1 ? WAY_TRAP : WAY_SPIN;
}

static void store_whole(const struct patch *patch)
{
    uint64_t *word = (uint64_t *)((uintptr_t)patch->window & ~(uintptr_t)(WORD - 1));
    unsigned shift = (unsigned)((uintptr_t)patch->window % WORD) * 8;
    uint64_t value = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < PLAN_JUMP_BYTES; i++) {
        value &= ~(UINT64_C(0xff) << (shift + 8 * i));
        value |= (uint64_t)jump_byte(patch, i) << (shift + 8 * i);
    }
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void store_byte(const struct patch *patch, unsigned i, uint8_t byte)
{
    *(volatile uint8_t *)&patch->window[i] = byte;
}

static void store_two(const struct patch *patch, unsigned bytes)
{
    *(volatile uint16_t *)patch->window = (uint16_t)bytes;
}

static void close_window(const struct patch *patch)
{
    enum way way = way_of(patch);

    if (way == WAY_STORE)
        store_whole(patch);
    else if (way == WAY_TRAP)
        store_byte(patch, 0, TRAP);
    else
        store_two(patch, SELF_JUMP);
}

/* All but the bytes that keep threads out. */
static void fill_window(const struct patch *patch)
{
    for (unsigned i = way_of(patch) == WAY_TRAP ? 1 : 2; i < PLAN_JUMP_BYTES; i++)
        store_byte(patch, i, jump_byte(patch, i));
}

static void open_window(const struct patch *patch)
{
    if (way_of(patch) == WAY_TRAP)
        store_byte(patch, 0, jump_byte(patch, 0));
    else
        store_two(patch, jump_byte(patch, 0) | (unsigned)jump_byte(patch, 1) << 8);
}

static void reopen_window(const struct patch *patch)
{
    const uint8_t *original = patch->plan->original;

    if (way_of(patch) == WAY_TRAP)
        store_byte(patch, 0, original[0]);
    else
        store_two(patch, original[0] | (unsigned)original[1] << 8);
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

/* Traps
 * -------------------------------------------------------------------------------------------------------------------------
 */

__asm__(".text\n"
        ".type live_restorer, @function\n"
        "live_restorer:\n"
        "mov $15, %eax\n" /* rt_sigreturn */
        "syscall\n"
        ".size live_restorer, . - live_restorer\n");

void live_restorer(void) __attribute__((visibility("hidden")));

static void set_action(const struct kernel_action *action, struct kernel_action *ret_before)
{
    kernel_action_change(SIGTRAP, action, ret_before);
}

/* A trap of the program's own: as without us, but for the mask of its handler. */
static void forward(int signal, siginfo_t *info, void *context)
{
    if (program_action.handler == (uintptr_t)SIG_IGN && info->si_code <= 0)
        return;
    if (program_action.handler == (uintptr_t)SIG_DFL || program_action.handler == (uintptr_t)SIG_IGN) {
        set_action(&program_action, NULL);
        cpu_syscall(SYS_rt_tgsigqueueinfo, cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
                    cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), signal, (long)info, 0, 0);
        return;
    }
    ((void (*)(int, siginfo_t *, void *))program_action.handler)(signal, info, context);
}

/* True if a thread with that program counter has just executed an int3 of ours. */
static bool is_behind_trap(const void *context, uintptr_t pc)
{
    const struct traps *list = context;
    size_t low = 0;
    size_t high = list ? list->count : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (list->at[middle] == pc - 1)
            return true;
        if (list->at[middle] > pc - 1)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* On a thread that came to a closed window: it waits here, and comes again. Asleep, it is seen elsewhere at once. */
static void trapped(int signal, siginfo_t *info, void *context)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};
    greg_t *pc = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    struct traps *list;

    handlers_inside++;
    list = traps;
    if (!is_behind_trap(list, (uintptr_t)*pc)) {
        handlers_inside--;
        forward(signal, info, context);
        return;
    }
    --*pc;
    patch_forked();
    while (!list->is_done)
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    handlers_inside--;
}

/* NULL: int3 cannot be used. */
static struct traps *traps_begin(const struct live *live)
{
    struct kernel_action action = {
        .handler = (uintptr_t)trapped,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | KERNEL_RESTORER_FLAG,
        .restorer = (uintptr_t)live_restorer,
    };
    struct traps *list = live_threads_take(SIGTRAP) ? live_map(sizeof(*list) + live->count * sizeof(*list->at)) : NULL;

    if (!list)
        return NULL;
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == 0 && way_of(&live->patches[i]) == WAY_TRAP)
            list->at[list->count++] = (uintptr_t)live->patches[i].window;
    traps = list;
    set_action(&action, &program_action);
    return list;
}

/* They wake up from a nap, and leave. */
static bool have_handlers_left(void)
{
    static const struct timespec nap = {.tv_nsec = NAP_NS};

    for (int i = 0; i < LEAVING_NAPS && handlers_inside > 0; i++)
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    return handlers_inside == 0;
}

/* If a thread cannot be seen elsewhere, a trap may be on its way to it: then the handler stays, and passes on what is
 * not its own. The list stays as long as a handler may be reading it. */
static void traps_end(const struct live *live, struct traps *list)
{
    list->is_done = true;
    if (!live_threads_left(is_behind_trap, list))
        return;
    set_action(&program_action, NULL);
    if (!have_handlers_left())
        return;
    traps = NULL;
    cpu_syscall(SYS_munmap, (long)list, (long)(sizeof(*list) + live->count * sizeof(*list->at)), 0, 0, 0, 0);
}

/* All of it
 * ---------------------------------------------------------------------------------------------------------------------
 */

static void each(const struct live *live, void (*act)(const struct patch *), int result)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == result && way_of(&live->patches[i]) != WAY_STORE)
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

static bool needs_trap(const struct patch *patch)
{
    return way_of(patch) == WAY_TRAP;
}

static void write_windows(const struct live *live)
{
    for (size_t i = 0; i < live->count; i++)
        if (live->patches[i].result == 0)
            close_window(&live->patches[i]);
    sync_processors(live);
    if (has_any(live, has_inside) && !live_threads_left(is_in_a_window, live))
        turn_down(live, has_inside, LIVE_BUSY);
    each(live, fill_window, 0);
    sync_processors(live);
    each(live, open_window, 0);
    each(live, reopen_window, LIVE_BUSY);
    sync_processors(live);
}

void live_write(struct patch *patches, size_t count)
{
    struct live live = {.patches = patches, .count = count, .scratch = live_map(PAGE)};
    struct traps *list;
    uint64_t mask;

    live.has_membarrier =
        cpu_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0, 0, 0, 0) == 0;
    own_mask_block(&mask);
    list = has_any(&live, needs_trap) ? traps_begin(&live) : NULL;
    if (!list)
        turn_down(&live, needs_trap, LIVE_BLOCKED);
    write_windows(&live);
    if (list)
        traps_end(&live, list);
    own_mask_restore(&mask);
    if (live.scratch)
        cpu_syscall(SYS_munmap, (long)live.scratch, PAGE, 0, 0, 0, 0);
}

void live_finish(const struct patch *patches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (way_of(&patches[i]) == WAY_STORE) {
            if (patches[i].result == 0)
                store_whole(&patches[i]);
        } else if (patches[i].result == 0) {
            fill_window(&patches[i]);
            open_window(&patches[i]);
        } else if (patches[i].result == LIVE_BUSY) {
            reopen_window(&patches[i]);
        }
    }
    if (!traps)
        return;
    traps->is_done = true;
    set_action(&program_action, NULL);
}
