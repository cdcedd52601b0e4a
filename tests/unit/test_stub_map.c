/* A call through a stub, one instruction at a time: at each of them the backtrace is that of the unpatched function. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "preload/control/patching/stub.h"
#include "preload/control/patching/stub_map.h"
#include "preload/control/reports/backtrace.h"
#include "preload/control/reports/mapped.h"
#include "preload/records/hot.h"
#include "symbols/common/diag.h"
#include "symbols/plan/plan.h"

enum {
    NEAR_BYTES = 4096,
    NEAR_TRIES = 512,
    STEPS_MAX = 1000,
    TRAP_FLAG = 0x100,
    BLOCK_WORDS = 64,
    SKIP_WORD = 8,
    SKIPPED_WORD = 9,
};

/* Functions to be patched: pushes, a call, a load relative to rip and a branch in the bytes that move. Each gives 42.
 */
int shape_pushes(void);
int shape_call(void);
int shape_load(void);
int shape_branch(void);
int shape_fortytwo(void);
/* Calls `entry` with the trap flag set, and says where that call and its own return to. Its frame is found by rbx. */
int call_stepping(const void *entry, uintptr_t ret_returns[2]);
/* In place of the trampolines: on to the original, with the stack that a stub hands over. */
extern const char fake_trampoline[], fake_trampoline_end[];

__asm__(".text\n"
        ".macro FUNCTION name\n"
        "    .p2align 4\n"
        "    .globl \\name\n"
        "    .type \\name, @function\n"
        "\\name:\n"
        "    .cfi_startproc\n"
        ".endm\n"
        ".macro END name\n"
        "    .cfi_endproc\n"
        "    .size \\name, . - \\name\n"
        ".endm\n"
        "FUNCTION shape_fortytwo\n"
        "    mov $42, %eax\n"
        "    ret\n"
        "END shape_fortytwo\n"
        "FUNCTION shape_pushes\n"
        "    endbr64\n"
        "    push %rbx\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset rbx, 0\n"
        "    push %r12\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset r12, 0\n"
        "    sub $24, %rsp\n"
        "    .cfi_adjust_cfa_offset 24\n"
        "    xor %ebx, %ebx\n"
        "    call shape_fortytwo\n"
        "    add $24, %rsp\n"
        "    .cfi_adjust_cfa_offset -24\n"
        "    pop %r12\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore r12\n"
        "    pop %rbx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore rbx\n"
        "    ret\n"
        "END shape_pushes\n"
        "FUNCTION shape_call\n"
        "    push %rbp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset rbp, 0\n"
        "    call shape_fortytwo\n"
        "    pop %rbp\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore rbp\n"
        "    ret\n"
        "END shape_call\n"
        "FUNCTION shape_load\n"
        "    mov 1f(%rip), %eax\n"
        "    ret\n"
        "1:  .long 42\n"
        "END shape_load\n"
        "FUNCTION shape_branch\n"
        "    xor %eax, %eax\n"
        "    jne 1f\n"
        "    push %rax\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    add $42, %eax\n"
        "    pop %rdx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "1:  ret\n"
        "END shape_branch\n"
        "    .globl fake_trampoline_end\n"
        "FUNCTION fake_trampoline\n"
        "    .cfi_def_cfa_offset 16\n"
        "    .cfi_offset rbx, -16\n"
        "    nop\n"
        "    jmp *8(%rbx)\n"
        "fake_trampoline_end:\n"
        "END fake_trampoline\n"
        "FUNCTION call_stepping\n"
        "    mov (%rsp), %rax\n"
        "    mov %rax, 8(%rsi)\n"
        "    push %rbx\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset rbx, 0\n"
        "    mov %rsp, %rbx\n"
        "    .cfi_def_cfa_register rbx\n"
        "    lea 1f(%rip), %rax\n"
        "    mov %rax, (%rsi)\n"
        "    pushfq\n"
        "    orq $0x100, (%rsp)\n"
        "    popfq\n"
        "    call *%rdi\n"
        "1:  pushfq\n"
        "    andq $-0x101, (%rsp)\n"
        "    popfq\n"
        "    .cfi_def_cfa_register rsp\n"
        "    pop %rbx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore rbx\n"
        "    ret\n"
        "END call_stepping\n");

static __thread struct hot_thread thread __attribute__((tls_model("initial-exec")));
static struct stub_map map;
static uintptr_t returns[2]; /* the frames behind the function's own */
static uintptr_t function;   /* [function, function_end): where its frames are */
static uintptr_t function_end;
static size_t steps, mapped_steps;
static char trouble[256];

static bool is_in_function(uintptr_t pc)
{
    return pc >= function && pc < function_end;
}

/* The frames between the innermost one and the caller: the function's own, its callee's in front of it. */
static void check(const struct backtrace *taken, const ucontext_t *context)
{
    size_t i = 0;

    if (taken->count > 0 && taken->frames[0].pc >= (uintptr_t)shape_fortytwo &&
        taken->frames[0].pc < (uintptr_t)shape_fortytwo + 16)
        i++;
    if (i < taken->count && is_in_function(taken->frames[i].pc)) {
        mapped_steps += is_in_function((uintptr_t)context->uc_mcontext.gregs[REG_RIP]) == 0;
        i++;
    }
    if (i + 1 < taken->count && taken->frames[i].pc == returns[0] && taken->frames[i + 1].pc == returns[1])
        return;
    if (!trouble[0])
        snprintf(trouble, sizeof(trouble), "step %zu, pc %#llx: %zu frames, the second %#zx, the third %#zx", steps,
                 context->uc_mcontext.gregs[REG_RIP], taken->count, taken->frames[1].pc, taken->frames[2].pc);
}

static bool is_in_stub(uintptr_t pc)
{
    for (size_t i = 0; i < map.count; i++)
        if (pc >= map.ranges[i].start && pc < map.ranges[i].end)
            return true;
    return false;
}

static void step(int number, siginfo_t *info, void *arg)
{
    static struct backtrace taken;
    ucontext_t *context = arg;
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];

    (void)number;
    (void)info;
    if (++steps > STEPS_MAX) {
        context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    if (!is_in_stub(pc) && !is_in_function(pc) && pc != (uintptr_t)fake_trampoline)
        return;
    backtrace_take(context, BACKTRACE_FRAMES_MAX, 1000000000, &taken);
    check(&taken, context);
}

static uint8_t *near_memory(void)
{
    uintptr_t hint = ((uintptr_t)shape_pushes & ~(uintptr_t)0xFFFFF) - (1 << 24);

    for (int i = 0; i < NEAR_TRIES; i++, hint -= 1 << 20) {
        void *memory = mmap((void *)hint, NEAR_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (memory != MAP_FAILED)
            return memory;
    }
    fail_msg("no memory near the functions");
    return NULL;
}

enum kind {
    TIMED,
    COUNTED,
    SAMPLED,
    SAMPLED_JUDGED,
    KINDS,
};

static void write_stub(const struct patch_plan *plan, enum kind kind, uint8_t *memory, struct stub *ret_stub)
{
    static struct hook hook;
    static struct segment_sampling sampling = {.interval = UINT64_C(1) << 33};
    struct stub_config config = {
        .entry = fake_trampoline,
        .entry_untimed = fake_trampoline,
        .sample = fake_trampoline,
        .count_slow = fake_trampoline,
        .thread_offset = (char *)&thread - (char *)__builtin_thread_pointer(),
    };
    struct stub_request request = {.plan = plan, .hook = &hook};
    struct diag diag = {0};

    if (kind >= SAMPLED) {
        request.weighed = &hook;
        request.untimed = kind == SAMPLED_JUDGED ? &hook : NULL;
        request.sampling = &sampling;
        request.skip = SKIP_WORD * 8;
        request.skipped = SKIPPED_WORD * 8;
    }
    if (stub_write(&config, &request, memory, ret_stub, &diag) != 0)
        fail_msg("%s", diag.text);
    hook.bypass = ret_stub->bypass;
}

static void run(int (*original)(void), size_t bytes, enum kind kind, bool has_block, uint64_t skip)
{
    static uint64_t block[BLOCK_WORDS];
    uint8_t *block_at = has_block ? (uint8_t *)block : NULL;
    uint8_t *memory = near_memory();
    struct plan_request request = {.code = (const uint8_t *)(uintptr_t)original,
                                   .code_bytes = bytes,
                                   .function_bytes = bytes,
                                   .address = (uintptr_t)original};
    struct patch_plan plan;
    struct stub stub;

    block[SKIP_WORD] = skip;
    thread.block_ref = &block_at;
    plan_function(&request, &plan);
    assert_int_equal(PLAN_FULL, plan.mode);
    if (kind == COUNTED)
        plan.mode = PLAN_COUNT;
    write_stub(&plan, kind, memory, &stub);
    assert_int_equal(0, stub_map_init(&map, 1));
    stub_map_add(&map, &plan, memory, &stub);
    stub_map_seal(&map);
    function = (uintptr_t)original;
    function_end = function + bytes;
    steps = mapped_steps = 0;
    trouble[0] = '\0';
    assert_int_equal(42, call_stepping(stub.entry, returns));
    if (trouble[0])
        fail_msg("kind %d, block %d, skip %d: %s", kind, has_block, (int)skip, trouble);
    assert_in_range(mapped_steps, 3, STEPS_MAX);
    munmap(map.ranges, sizeof(*map.ranges));
    munmap(memory, NEAR_BYTES);
}

static void test_steps(void **state)
{
    static const struct {
        int (*function)(void);
        size_t bytes;
    } shapes[] = {{shape_pushes, 29}, {shape_call, 8}, {shape_load, 7}, {shape_branch, 10}};
    struct backtrace_config config = {
        .stubs = &map, .trampolines = (uintptr_t)fake_trampoline, .trampolines_end = (uintptr_t)fake_trampoline_end};
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};

    (void)state;
    mapped_init();
    assert_int_equal(0, backtrace_init(&config));
    sigaction(SIGTRAP, &action, NULL);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (enum kind kind = 0; kind < KINDS; kind++)
            for (uint64_t skip = 0; skip < 3; skip++)
                for (int has_block = 0; has_block < 2; has_block++)
                    run(shapes[i].function, shapes[i].bytes, kind, has_block, skip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};

    return cmocka_run_group_tests_name("stub_map", tests, NULL, NULL);
}
