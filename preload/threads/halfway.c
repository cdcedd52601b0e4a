#include "preload/threads/halfway.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/counters.h"
#include "preload/records/tally.h"
#include "preload/records/trampolines.h"

#define PAGE_BYTES  UINT64_C(4096)
#define STACK_BYTES (64 * PAGE_BYTES) /* from here up to the last frame that is looked for */
#define FRAME_BYTES 16384             /* with all registers */
#define OWN_BYTES   2048              /* what the data plane has on the stack, at most */
#define USER_CODE   0x33              /* what the kernel puts in cs */

/* The kernel's frame of a signal begins so. */
struct frame {
    uintptr_t restorer;
    ucontext_t context;
};

struct move {
    const struct lane *lane;
    uint64_t from;
    uint64_t to;
    uint64_t bytes;
};

extern const char code_end[] __asm__("etext") __attribute__((visibility("hidden")));
extern const char code_begin[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

/* What libc has every handler return to; 0 if there is no handler at all. */
static uintptr_t find_restorer(void)
{
    static uintptr_t restorer;
    struct kernel_action action = {0};

    for (int signal = 1; signal < KERNEL_SIGNALS && !restorer; signal++)
        if (kernel_action_change(signal, NULL, &action) == 0 && action.handler > (uintptr_t)SIG_IGN &&
            (action.flags & KERNEL_RESTORER_FLAG))
            restorer = action.restorer;
    return restorer;
}

static bool is_own_code(uintptr_t ip)
{
    return ip >= (uintptr_t)code_begin && ip < (uintptr_t)code_end;
}

void halfway_count_duration(const struct lane *lane, const struct record *record, uint64_t weight)
{
    const struct hook *hook = record->hook;

    if (!(hook->flags & HOOK_FLAG_UNTIMED) && hook->cell == hook->home)
        counters_add_duration_at(lane, hook, hook->home, record->start, weight);
}

static void move_word(const struct move *move, uint64_t *word)
{
    if (*word - move->from < move->bytes)
        *word = *word - move->from + move->to;
}

/* How far the end of a call was, whose record rbx is. */
static void mend_end(const struct lane *lane, uintptr_t ip, const struct record *record)
{
#define IS_LASTING(kind)                                                                                               \
    || (ip >= (uintptr_t)hot_lasting_##kind && ip < (uintptr_t)hot_lasted_##kind) ||                                   \
        (ip >= (uintptr_t)hot_lasting_far_##kind && ip < (uintptr_t)hot_lasted_far_##kind)
#define IS_LASTED(kind)                                                                                                \
    || (ip >= (uintptr_t)hot_lasted_##kind && ip < (uintptr_t)hot_unlinking_##kind) ||                                 \
        (ip >= (uintptr_t)hot_lasted_far_##kind && ip < (uintptr_t)hot_asking_##kind)
#define IS_UNLINKING(kind) || ip == (uintptr_t)hot_unlinking_##kind
    if (false TRAMPOLINES(IS_LASTING)) {
        counters_add(lane, record->hook, CELL_SUM_TICKS, record->start);
    } else if (false TRAMPOLINES(IS_LASTED)) {
        if (record->target != (void *)RECORD_ENDING) /* else it is balanced */
            halfway_count_duration(lane, record, 1);
    } else if (false TRAMPOLINES(IS_UNLINKING)) {
        counters_add(lane, record->hook, CELL_STARTED, UINT64_MAX);
        if (record->target == (void *)RECORD_ENDING)
            halfway_count_duration(lane, record, UINT64_MAX);
    }
}

/* Linked or unlinked, and counted, are two instructions: the child has what was done of the first in its parent's
 * block. */
static void mend_half(const struct lane *lane, uintptr_t ip, uint64_t rbx)
{
#define IS_LINKING(kind) || ip == (uintptr_t)hot_linking_##kind || ip == (uintptr_t)hot_linking_tail_##kind
    const struct hook *hook;

    if (false TRAMPOLINES(IS_LINKING)) {
        hook = (const struct hook *)rbx;
        if (!(hook->flags & HOOK_FLAG_LABELS))
            counters_add(lane, hook, CELL_STARTED, 1);
    } else {
        mend_end(lane, ip, (const struct record *)rbx);
    }
}

/* What of a tally is in the parent's block. */
static void mend_tally(const struct lane *lane, uintptr_t ip, const greg_t *registers)
{
    const struct tally_entry *entries = (const struct tally_entry *)registers[REG_RSI];
    uint64_t bytes = (uint64_t)registers[REG_RAX];

    if (ip == (uintptr_t)tally_starting || ip == (uintptr_t)tally_claiming)
        cpu_add((uint64_t *)registers[REG_RDI], 1);
    if (ip < (uintptr_t)tally_adding || ip >= (uintptr_t)tally_said)
        return;
    if (ip == (uintptr_t)tally_added)
        bytes += sizeof(*entries);
    for (uint64_t i = 0; i < bytes / sizeof(*entries); i++)
        counters_add_at(lane, 0, entries[i].offset, entries[i].value);
}

static void frame_move(const struct move *move, struct frame *frame)
{
    greg_t *registers = frame->context.uc_mcontext.gregs;
    uintptr_t ip = (uintptr_t)registers[REG_RIP];
    uintptr_t sp = (uintptr_t)registers[REG_RSP];

    for (int i = REG_R8; i <= REG_RCX; i++)
        move_word(move, (uint64_t *)&registers[i]);
    if (!is_own_code(ip))
        return;
    /* Where it is to go on with another stack, there is nothing at its very top. */
    for (uintptr_t at = sp; at < sp + OWN_BYTES && ((at % PAGE_BYTES != 0 && at != sp) || cpu_is_readable(at)); at += 8)
        move_word(move, (uint64_t *)at);
    mend_half(move->lane, ip, (uint64_t)registers[REG_RBX]);
    mend_tally(move->lane, ip, registers);
}

static bool is_frame(const struct frame *frame, uintptr_t restorer)
{
    uintptr_t at = (uintptr_t)frame;
    uintptr_t vectors;

    if (frame->restorer != restorer || !cpu_is_readable((uintptr_t)(frame + 1)))
        return false;
    vectors = (uintptr_t)frame->context.uc_mcontext.fpregs;
    return (frame->context.uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == USER_CODE && vectors > at &&
           vectors - at < FRAME_BYTES;
}

void halfway_move(const struct lane *lane, const uint8_t *before, uint64_t block_bytes)
{
    uintptr_t at = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)7;
    uintptr_t end = at + STACK_BYTES;
    uintptr_t restorer = find_restorer();
    struct move move = {lane, (uint64_t)before, (uint64_t)*lane->block_ref, block_bytes};

    if (!restorer || !before || !*lane->block_ref)
        return;
    for (; at < end && (at % PAGE_BYTES != 0 || cpu_is_readable(at)); at += 8)
        if (is_frame((struct frame *)at, restorer))
            frame_move(&move, (struct frame *)at);
}
