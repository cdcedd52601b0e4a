/* The trampoline's personality: what the unwinders call when an exception, or pthread_exit, leaves a tracked call.
 *
 * The trampoline's frame has the same CFA as its caller. libgcc tells frames apart by CFA: when the caller is the one
 * that catches, it takes the trampoline for the handler too, and aborts if that goes on. So in the cleanup phase the
 * personality always asks to land; the landing (hot_landing) counts the outcome and goes on from the caller itself, as
 * a cleanup does, by _Unwind_Resume. */
#include "preload/calls/personality.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <unwind.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/records/own_work.h"
#include "preload/records/trampolines.h"

enum {
    DWARF_RAX = 0,
    DWARF_RDX = 1,
    DWARF_RBX = 3,
    UNWINDERS_MAX = 8,
};

/* A program may hold several unwinders (libgcc's, LLVM's), whose contexts only they can read. */
struct unwinder {
    atomic_bool is_claimed;
    _Atomic uintptr_t low; /* of the object that holds it; stored last, 0 before */
    uintptr_t high;
    struct unwind_functions functions;
};

static struct unwinder unwinders[UNWINDERS_MAX];
static unwind_lookup lookup;

void unwind_init(unwind_lookup function)
{
    lookup = function;
}

static const struct unwind_functions *unwinder_known(uintptr_t caller)
{
    for (unsigned i = 0; i < UNWINDERS_MAX; i++) {
        uintptr_t low = atomic_load(&unwinders[i].low);

        if (low && caller >= low && caller < unwinders[i].high)
            return &unwinders[i].functions;
    }
    return NULL;
}

static struct unwinder *unwinder_claim(void)
{
    for (unsigned i = 0; i < UNWINDERS_MAX; i++)
        if (!atomic_exchange(&unwinders[i].is_claimed, true))
            return &unwinders[i];
    return NULL;
}

void unwind_forget(uintptr_t address)
{
    for (unsigned i = 0; i < UNWINDERS_MAX; i++) {
        uintptr_t low = atomic_load(&unwinders[i].low);

        if (!low || address < low || address >= unwinders[i].high)
            continue;
        atomic_store(&unwinders[i].low, 0);
        atomic_store(&unwinders[i].is_claimed, false);
    }
}

/* The look-up calls libc, whose functions may be tracked: those calls are ours. Many threads may be here at once, with
 * the first exception of each: the answer does not depend on a place in the table. */
static bool unwinder_add(uintptr_t caller, struct unwind_functions *ret_functions)
{
    struct own_work work;
    struct unwinder *unwinder;
    uintptr_t low;
    uintptr_t high;
    struct unwind_functions functions;
    int result;

    if (!lookup)
        return false;
    own_work_begin(&work);
    result = lookup(caller, &low, &high, &functions);
    own_work_end(&work);
    if (result != 0)
        return false;
    *ret_functions = functions;
    unwinder = unwinder_known(caller) ? NULL : unwinder_claim();
    if (!unwinder)
        return true;
    unwinder->high = high;
    unwinder->functions = functions;
    atomic_store(&unwinder->low, low);
    return true;
}

static bool unwinder_of(uintptr_t caller, struct unwind_functions *ret_functions)
{
    const struct unwind_functions *known = unwinder_known(caller);

    if (!known)
        return unwinder_add(caller, ret_functions);
    *ret_functions = *known;
    return true;
}

/* True if the original was running. A signal handler's exception (a cancelled thread's one, too) may find the
 * trampoline at any other instruction: its frame is then not as hot_landing needs it, and what is left of the call
 * shows later. */
static bool is_in_original(uintptr_t address)
{
    return chain_is_exit((const void *)address);
}

static bool is_linking(uintptr_t address)
{
#define IS_LINKING(kind) || address == (uintptr_t)hot_linking_##kind || address == (uintptr_t)hot_linking_tail_##kind
    return false TRAMPOLINES(IS_LINKING);
}

static bool is_unlinking(uintptr_t address)
{
#define IS_UNLINKING(kind) || address == (uintptr_t)hot_unlinking_##kind
    return false TRAMPOLINES(IS_UNLINKING);
}

/* A thread that is cancelled between two instructions of the trampoline leaves a call that was counted as begun but not
 * linked in, or as ended but still linked: nobody else would know. Forced unwinding passes each frame once. */
static void settle_half_counted(const struct unwind_functions *functions, struct _Unwind_Context *context)
{
    uintptr_t address = functions->get_ip(context);
    uint64_t rbx = functions->get_gr(context, DWARF_RBX);
    const struct hook *hook;
    struct record *record;

    if (is_linking(address)) {
        hook = (const struct hook *)rbx;
        if (!(hook->flags & HOOK_FLAG_LABELS))
            counters_add(hot_thread.lane, hook, CELL_ABANDONED + ABANDONED_THREAD_EXIT, 1);
    } else if (is_unlinking(address)) {
        record = (struct record *)rbx;
        atomic_store(&record->state, RECORD_FINISHED);
    }
}

/* Itanium C++ ABI, Exception Handling, 1.6.3 (personality routine). */
_Unwind_Reason_Code hot_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class exception_class,
                                    struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
    struct unwind_functions functions;
    struct record *record;

    (void)exception_class;
    if (version != 1 || !(actions & _UA_CLEANUP_PHASE))
        return _URC_CONTINUE_UNWIND;
    if (!unwinder_of((uintptr_t)__builtin_return_address(0), &functions))
        return _URC_CONTINUE_UNWIND;
    if (!is_in_original(functions.get_ip(context))) {
        settle_half_counted(&functions, context);
        return _URC_CONTINUE_UNWIND;
    }
    record = chain_find_record(functions.get_gr(context, DWARF_RBX), functions.get_cfa(context) - 8);
    if (!record)
        return _URC_CONTINUE_UNWIND;
    record->target = functions.resume;
    functions.set_gr(context, DWARF_RAX, (uintptr_t)exception);
    functions.set_gr(context, DWARF_RDX, (actions & _UA_FORCE_UNWIND) != 0);
    functions.set_ip(context, (uintptr_t)hot_landing);
    return _URC_INSTALL_CONTEXT;
}
