/* The kernel's frame, from below: the restorer's address, to which the handler returns; then the context (struct
 * rt_sigframe in Linux, arch/x86/include/asm/sigframe.h). What looks like one may have been left behind by a handler
 * that is over, in a part of the stack that nobody has written since. So the stack is read first, which takes no time;
 * and only where something was found, or where it is not known where the stack ends, it is unwound. */
#include "preload/processes/interrupted.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/own_lock.h"
#include "preload/machine/stack_range.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/own_work.h"

/* Nothing else is mapped so near below the first stack's top: Linux leaves that much room for it to grow. */
#define FIRST_STACK_BYTES (UINT64_C(128) << 20)
/* So much of a stack of unknown size is read. */
#define OTHER_STACK_BYTES (UINT64_C(8) << 20)
#define UNWIND_NS         UINT64_C(100000000)

enum {
    PAGE_BYTES = 4096,
    WALK_STACK_BYTES = 64 * 1024,
    CONTEXT_FLAGS = 7, /* those that Linux knows */
    USER_CODE = 0x33,  /* the segment of 64-bit code */
};

struct walk {
    ucontext_t from;
    int result;
};

static const uint8_t restorers[2][9] = {
    {0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05}, /* mov $15, %rax; syscall: glibc's */
    {0xB8, 0x0F, 0, 0, 0, 0x0F, 0x05},             /* mov $15, %eax; syscall: others' */
};
static const uint8_t restorer_bytes[2] = {9, 7};

static uintptr_t stack_top;
static interrupted_unwinder unwind;
static struct walk walk;                                                  /* of who has the lock of reports */
static uint8_t walk_stack[WALK_STACK_BYTES] __attribute__((aligned(16))); /* a coroutine's may be too small */

void interrupted_init(void)
{
    stack_top = getauxval(AT_RANDOM) & ~(uintptr_t)7;
}

void interrupted_unwind(interrupted_unwinder unwinder)
{
    unwind = unwinder;
}

/* The stack ------------------------------------------------------------------------------------------------------- */

/* Where nothing is unwound nothing is probed either (valgrind). */
static bool is_readable(uintptr_t address)
{
    return !unwind || cpu_is_readable(address & ~(uintptr_t)(PAGE_BYTES - 1));
}

/* Not memcmp: that is the program's, and may be tracked. */
static bool is_restorer(uintptr_t address)
{
    const uint8_t *code = (const uint8_t *)address;

    if (address < PAGE_BYTES || !cpu_is_readable(address & ~(uintptr_t)7) ||
        !cpu_is_readable((address + restorer_bytes[0]) & ~(uintptr_t)7))
        return false;
    for (int i = 0; i < 2; i++) {
        size_t same = 0;

        while (same < restorer_bytes[i] && code[same] == restorers[i][same])
            same++;
        if (same == restorer_bytes[i])
            return true;
    }
    return false;
}

static bool is_frame(const uintptr_t *word, uintptr_t high)
{
    const ucontext_t *context = (const ucontext_t *)(word + 1);

    if ((uintptr_t)context + offsetof(ucontext_t, uc_sigmask) > high)
        return false;
    return context->uc_flags <= CONTEXT_FLAGS && context->uc_link == NULL &&
           (context->uc_mcontext.gregs[REG_CSGSFS] & 0xFFFF) == USER_CODE && is_restorer(*word);
}

/* Page by page: the program may have taken one away, and a frame need not end on the page that it begins on. */
static bool has_frame(uintptr_t low, uintptr_t high)
{
    uintptr_t known = low; /* up to where it can be read */

    for (uintptr_t at = low; at + sizeof(ucontext_t) < high; at += sizeof(uintptr_t)) {
        while (known < at + sizeof(ucontext_t) + sizeof(uintptr_t) && is_readable(known))
            known = (known & ~(uintptr_t)(PAGE_BYTES - 1)) + PAGE_BYTES;
        if (known < at + sizeof(ucontext_t) + sizeof(uintptr_t)) {
            at = (known & ~(uintptr_t)(PAGE_BYTES - 1)) + PAGE_BYTES - sizeof(uintptr_t);
            known = at + sizeof(uintptr_t);
        } else if (is_frame((const uintptr_t *)at, high)) {
            return true;
        }
    }
    return false;
}

static bool is_on_first_stack(uintptr_t here)
{
    return here < stack_top && stack_top - here <= FIRST_STACK_BYTES;
}

/* From here on: all of the first stack, or as much of another one as may be one. False: it cannot be told. */
static bool has_rest_frame(uintptr_t here, bool *ret_has)
{
    struct stack_range range = stack_range_of(here);

    if (range.high == 0)
        return false;
    if (!stack_range_has(range, stack_top) && range.high - here > OTHER_STACK_BYTES)
        range.high = here + OTHER_STACK_BYTES;
    *ret_has = has_frame(here, range.high);
    return true;
}

/* Unwinding ------------------------------------------------------------------------------------------------------- */

static void walk_on_stack(void *context)
{
    struct walk *given = context;

    given->result = unwind(&given->from, UNWIND_NS);
}

/* The lock of reports, which are unwound by the same means. */
static int walk_from_here(void)
{
    struct own_work work;
    int result = -EBUSY;

    if (!unwind)
        return -ENOSYS;
    own_work_begin(&work);
    if (own_lock_try(OWN_LOCK_REPORT)) {
        cpu_here(&walk.from);
        cpu_call_on_stack(walk_on_stack, &walk, walk_stack + sizeof(walk_stack));
        result = walk.result;
        own_lock_leave(OWN_LOCK_REPORT);
    }
    own_work_end(&work);
    return result;
}

enum interrupted interrupted_ask(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    bool is_first = is_on_first_stack(here);
    bool has = true;
    int met;

    if (forbidden_is(SYS_rt_sigprocmask) || forbidden_is(SYS_sigaltstack))
        return INTERRUPTED_UNKNOWN;
    if (stack_alternate().high != 0)
        return INTERRUPTED_YES;
    if (is_first && !has_frame(here, stack_top))
        return INTERRUPTED_NO;
    met = walk_from_here();
    if (met >= 0)
        return met > 0 ? INTERRUPTED_YES : INTERRUPTED_NO;
    return !is_first && has_rest_frame(here, &has) && !has ? INTERRUPTED_NO : INTERRUPTED_UNKNOWN;
}
