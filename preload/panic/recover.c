#include "preload/panic/recover.h"

#include <link.h>
#include <string.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/records/chain.h"
#include "preload/records/lane.h"
#include "preload/threads/attach.h"

#define NEAR_STACK_BYTES UINT64_C(69632) /* a frame is rarely larger; and the guard page */

enum {
    RANGES_MAX = 16,
};

/* Code that holds locks and keeps promises: left in the middle, it is not to be called again. */
static struct {
    uintptr_t low, high;
} ranges[RANGES_MAX];
static size_t range_count;

static struct recover_config config;
static _Atomic unsigned recoveries;
static _Atomic bool is_running; /* main is */

static bool is_sensitive_object(const char *path)
{
    static const char *const names[] = {"libc.so.6",       "ld-linux-x86-64.so.2", "libpthread.so.0",
                                        "libcallmeter.so", "control.so",           "panic.so"};
    const char *slash = strrchr(path, '/');

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(slash ? slash + 1 : path, names[i]) == 0)
            return true;
    return false;
}

static int add_range(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!is_sensitive_object(info->dlpi_name))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum && range_count < RANGES_MAX; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];

        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        ranges[range_count].low = info->dlpi_addr + segment->p_vaddr;
        ranges[range_count++].high = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    }
    return 0;
}

void recover_init(const struct recover_config *given)
{
    config = *given;
    if (config.values)
        dl_iterate_phdr(add_range, NULL);
}

bool recover_is_wanted(void)
{
    return config.values != NULL;
}

void recover_begin(void)
{
    atomic_store(&is_running, true);
}

void recover_end(void)
{
    if (config.values && !lane_is_borrowed())
        atomic_store(&is_running, false);
}

static bool is_sensitive(uintptr_t pc)
{
    for (size_t i = 0; i < range_count; i++)
        if (pc >= ranges[i].low && pc < ranges[i].high)
            return true;
    return false;
}

static const struct recover_value *value_of(const struct record *record)
{
    uint32_t index = record->hook->index;

    return config.values && index < config.count && config.values[index].is_given ? &config.values[index] : NULL;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* What can be told of the fault alone. */
static const char *refuse_fault(const struct recover_plan *plan)
{
    uint64_t sp = (uint64_t)plan->context->uc_mcontext.gregs[REG_RSP];

    if (!plan->record)
        return "no tracked call was in progress";
    if (!value_of(plan->record))
        return "the function has no recover";
    if (plan->signal == SIGABRT)
        return "the program has aborted";
    if (plan->info->si_code <= 0)
        return "the program has raised the signal itself";
    if (!atomic_load(&is_running))
        return "the program is starting or ending";
    if (plan->signal == SIGSEGV && plan->info->si_code != SI_KERNEL &&
        distance((uintptr_t)plan->info->si_addr, sp) <= NEAR_STACK_BYTES)
        return "the stack has overflowed, or the fault is close to its end";
    if (is_sensitive((uintptr_t)plan->context->uc_mcontext.gregs[REG_RIP]))
        return "the fault is in the C library, the loader or callmeter";
    if (!chain_is_exit(*(const void *const *)record_slot(plan->record)))
        return "the call's return address has been overwritten";
    return NULL;
}

/* What the frames between the fault and the call say. */
static const char *refuse_frames(const struct backtrace_registers *registers)
{
    if (registers->has_cleanups)
        return "a C++ function on the way has something to clean up";
    if (registers->has_handler)
        return "the fault is in a signal's handler";
    if (registers->pc_count == BACKTRACE_FRAMES_MAX)
        return "there are too many calls on the way";
    for (size_t i = 0; i < registers->pc_count; i++)
        if (is_sensitive(registers->pcs[i]))
            return "the C library or the loader is on the way";
    return NULL;
}

static bool take_one(void)
{
    unsigned before = atomic_load(&recoveries);

    while (before < config.max_recoveries)
        if (atomic_compare_exchange_weak(&recoveries, &before, before + 1))
            return true;
    return false;
}

const char *recover_prepare(struct recover_plan *plan)
{
    static struct backtrace_registers registers; /* one thread at a time */
    const char *reason = refuse_fault(plan);

    if (reason)
        return reason;
    if (!config.unwind || config.unwind(plan->context, plan->record, &registers) != 0)
        return "the stack cannot be unwound to the call";
    reason = refuse_frames(&registers);
    if (reason)
        return reason;
    if (!take_one())
        return "max_recoveries is reached";
    plan->value = value_of(plan->record)->value;
    plan->rbp = registers.rbp;
    plan->r12 = registers.r12;
    plan->r13 = registers.r13;
    plan->r14 = registers.r14;
    plan->r15 = registers.r15;
    return NULL;
}

/* As the ABI has it where a function returns: nothing on the x87 stack, strings go upwards (System V ABI for AMD64,
 * 3.2.1). */
static void set_registers(const struct recover_plan *plan, mcontext_t *registers)
{
    greg_t *general = registers->gregs;

    general[REG_RIP] = (greg_t)(uintptr_t)plan->record->return_address;
    general[REG_RSP] = (greg_t)(record_slot(plan->record) + sizeof(uintptr_t));
    general[REG_RAX] = (greg_t)plan->value;
    general[REG_RBX] = (greg_t)plan->record->caller_rbx;
    general[REG_RBP] = (greg_t)plan->rbp;
    general[REG_R12] = (greg_t)plan->r12;
    general[REG_R13] = (greg_t)plan->r13;
    general[REG_R14] = (greg_t)plan->r14;
    general[REG_R15] = (greg_t)plan->r15;
    general[REG_EFL] &= ~(greg_t)CPU_FLAG_DIRECTION;
    if (registers->fpregs) {
        registers->fpregs->swd = 0;
        registers->fpregs->ftw = 0;
    }
}

void recover_apply(const struct recover_plan *plan, ucontext_t *context)
{
    set_registers(plan, &context->uc_mcontext);
    atomic_store(&plan->record->state, RECORD_LIVE); /* else the panic would be taken back */
    chain_finish(hot_thread.lane, plan->record);
}
