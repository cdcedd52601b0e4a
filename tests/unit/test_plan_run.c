/* Runs victims as they are, and again with their window moved: every register, flag and byte of memory must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/plan/plan.h"

enum {
    ROUNDS = 2000,
    MEMORY_WORDS = 32,
    FLAGS = 0x8D5, /* overflow, sign, zero, adjust, parity, carry */
    PAGE_BYTES = 4096,
};

enum general {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP, /* not loaded; compared */
    RBP,
    RSI,
    RDI,
    R8,
    R11 = 11,
    R12 = 12,
    GENERAL_COUNT = 16,
};

/* The assembly below knows this layout: 8 bytes a word, in this order. */
struct registers {
    uint64_t general[GENERAL_COUNT];
    uint64_t flags;
};

_Static_assert(offsetof(struct registers, flags) == 128, "run_victim says 128");

/* Loads all registers, calls the code, stores them all. */
void run_victim(const void *code, struct registers *registers);

extern uint64_t victim_memory[MEMORY_WORDS];
extern const char victim_callee[];
extern const char victim_callee_stack[];

asm(".intel_syntax noprefix\n"
    ".data\n"
    ".balign 64\n"
    ".globl victim_memory\n"
    "victim_memory: .zero 256\n"
    "victim_pointer: .quad victim_callee\n"
    ".text\n"
    ".globl run_victim\n"
    "run_victim:\n"
    "  push rbx\n  push rbp\n  push r12\n  push r13\n  push r14\n  push r15\n"
    "  push rsi\n  push rdi\n"
    "  push [rsi + 128]\n  popfq\n"
    "  mov rax, [rsi]\n  mov rcx, [rsi + 8]\n  mov rdx, [rsi + 16]\n  mov rbx, [rsi + 24]\n"
    "  mov rbp, [rsi + 40]\n  mov rdi, [rsi + 56]\n  mov r8, [rsi + 64]\n  mov r9, [rsi + 72]\n"
    "  mov r10, [rsi + 80]\n  mov r11, [rsi + 88]\n  mov r12, [rsi + 96]\n  mov r13, [rsi + 104]\n"
    "  mov r14, [rsi + 112]\n  mov r15, [rsi + 120]\n  mov rsi, [rsi + 48]\n"
    "  call [rsp]\n"
    "  pushfq\n  push rsi\n  mov rsi, [rsp + 24]\n"
    "  mov [rsi], rax\n  mov [rsi + 8], rcx\n  mov [rsi + 16], rdx\n  mov [rsi + 24], rbx\n"
    "  mov [rsi + 32], rsp\n  mov [rsi + 40], rbp\n  mov [rsi + 56], rdi\n  mov [rsi + 64], r8\n"
    "  mov [rsi + 72], r9\n  mov [rsi + 80], r10\n  mov [rsi + 88], r11\n  mov [rsi + 96], r12\n"
    "  mov [rsi + 104], r13\n  mov [rsi + 112], r14\n  mov [rsi + 120], r15\n"
    "  pop [rsi + 48]\n  pop [rsi + 128]\n"
    "  pop rdi\n  pop rsi\n"
    "  pop r15\n  pop r14\n  pop r13\n  pop r12\n  pop rbp\n  pop rbx\n"
    "  cld\n  ret\n"
    /* Tells where it returns to, and leaves traces of all that it was called with. */
    ".globl victim_callee\n"
    "victim_callee:\n"
    "  pushfq\n  mov [rip + victim_memory + 64], rdx\n  pop [rip + victim_memory + 72]\n"
    "  mov r9, [rsp]\n  mov [rip + victim_memory + 80], r9\n  mov [rip + victim_memory + 88], rsp\n"
    "  ret\n"
    /* The same for a callee whose caller reads it from the stack. */
    ".globl victim_callee_stack\n"
    "victim_callee_stack:\n"
    "  mov r9, [rsp]\n  mov r10, rsp\n  ret\n");

/* X(name, code) */
#define VICTIMS(X)                                                                                                     \
    X(plain, "push rbp\n mov rbp, rsp\n lea eax, [rdi + rsi * 2]\n pop rbp\n ret")                                     \
    X(endbr64, "endbr64\n push rbp\n mov rbp, rsp\n lea eax, [rdi + rsi * 2]\n pop rbp\n ret")                         \
    X(load, "mov rax, [rip + victim_memory + 8]\n ret")                                                                \
    X(load_byte, "movzx eax, byte ptr [rip + victim_memory + 9]\n ret")                                                \
    X(store, "mov [rip + victim_memory + 16], rdx\n ret")                                                              \
    X(store_imm32, "mov dword ptr [rip + victim_memory + 16], 0x12345678\n ret")                                       \
    X(store_imm8, "add dword ptr [rip + victim_memory + 16], 7\n ret")                                                 \
    X(store_imm16, "mov word ptr [rip + victim_memory + 16], 0x1234\n ret")                                            \
    X(compare, "cmp byte ptr [rip + victim_memory + 3], 0x40\n setl al\n ret")                                         \
    X(atomic, "lock xadd [rip + victim_memory + 24], rdx\n ret")                                                       \
    X(address, "lea rax, [rip + victim_memory]\n ret")                                                                 \
    X(sse, "movq xmm0, [rip + victim_memory + 8]\n movq rax, xmm0\n ret")                                              \
    X(sse_imm, "pshufd xmm0, [rip + victim_memory], 0x1b\n movq rax, xmm0\n ret")                                      \
    X(push_global, "push [rip + victim_memory + 8]\n pop rax\n ret")                                                   \
    X(jump_global, "jmp [rip + victim_pointer]")                                                                       \
    X(jump_tail, "jmp victim_callee")                                                                                  \
    X(jump_short, "jmp 1f\n nop\n nop\n nop\n 1: mov eax, 3\n ret")                                                    \
    X(jo, "cmp edx, ecx\n jo 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jno, "cmp edx, ecx\n jno 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jb, "cmp edx, ecx\n jb 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jae, "cmp edx, ecx\n jae 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(je, "cmp edx, ecx\n je 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jne, "cmp edx, ecx\n jne 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jbe, "cmp edx, ecx\n jbe 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(ja, "cmp edx, ecx\n ja 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(js, "cmp edx, ecx\n js 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jns, "cmp edx, ecx\n jns 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jp, "cmp edx, ecx\n jp 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jnp, "cmp edx, ecx\n jnp 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jl, "cmp edx, ecx\n jl 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jge, "cmp edx, ecx\n jge 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jle, "cmp edx, ecx\n jle 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                           \
    X(jg, "cmp edx, ecx\n jg 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(jg_near, "cmp edx, ecx\n jg 1f\n ret\n .skip 200, 0x90\n 1: mov eax, 2\n ret")                                   \
    X(jcc_three,                                                                                                       \
      "cmp edx, ecx\n je 1f\n jl 2f\n jc 3f\n ret\n 1: mov al, 1\n ret\n 2: mov al, 2\n ret\n 3: mov al, 3\n ret")     \
    X(jump_inside, "clc\n je 1f\n nop\n 1: inc edx\n lea eax, [rcx + rdx]\n ret")                                      \
    X(loop_inside, "1: dec dl\n jnz 1b\n nop\n mov eax, edx\n ret")                                                    \
    X(jrcxz, "jrcxz 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                                      \
    X(jecxz, "jecxz 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                                      \
    X(loop, "nop\n loop 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                                  \
    X(loope, "cmp dl, cl\n loope 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                         \
    X(loopne, "cmp dl, cl\n loopne 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                       \
    X(loop_ecx, "addr32 loop 1f\n mov eax, 1\n ret\n 1: mov eax, 2\n ret")                                             \
    X(call_near, "call victim_callee\n mov eax, 1\n ret")                                                              \
    X(call_behind_push, "push rdx\n call victim_callee\n pop rax\n ret")                                               \
    X(call_register, "push rdx\n push r11\n call r11\n pop rax\n pop rcx\n ret")                                       \
    X(call_memory, "push rdx\n nop\n call [rdi + 0x60]\n pop rax\n ret")                                               \
    X(call_memory_r12, "push rdx\n call [r12 + 0x60]\n pop rax\n ret")                                                 \
    X(call_global, "call [rip + victim_pointer]\n ret")                                                                \
    X(call_stack, "push r8\n push rdx\n call [rsp + 8]\n pop rax\n pop rcx\n ret")                                     \
    X(call_stack_zero, "push rdx\n push r8\n call [rsp]\n pop rax\n pop rcx\n ret")                                    \
    X(short_padded, "mov eax, edi\n ret")                                                                              \
    X(long_move, "movabs rax, 0x1122334455667788\n ret")

#define ASSEMBLE(name, code)                                                                                           \
    asm(".text\n .balign 16\n victim_" #name ": " code "\n victim_end_" #name ":\n .balign 16\n");
#define DECLARE(name, code)                                                                                            \
    extern const uint8_t victim_##name[];                                                                              \
    extern const uint8_t victim_end_##name[];
#define LIST(name, code) {#name, victim_##name, victim_end_##name},

VICTIMS(ASSEMBLE)
asm(".att_syntax\n");
VICTIMS(DECLARE)

struct victim {
    const char *name;
    const uint8_t *code;
    const uint8_t *end;
};

static const struct victim victims[] = {VICTIMS(LIST)};

static uint64_t random_state = 0x9E3779B97F4A7C15;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Values at which counts and comparisons turn. */
static uint64_t random_value(void)
{
    static const uint64_t values[] = {0, 1, 2, UINT64_MAX, 0x7FFFFFFF, 0x80000000, UINT64_C(0x100000000)};
    uint64_t choice = random_next();

    return choice & 1 ? values[choice / 2 % (sizeof(values) / sizeof(values[0]))] : random_next();
}

static void fill_input(struct registers *registers)
{
    for (size_t i = 0; i < GENERAL_COUNT; i++)
        registers->general[i] = random_value();
    registers->general[RDI] = (uint64_t)(uintptr_t)victim_memory;
    registers->general[R12] = (uint64_t)(uintptr_t)victim_memory;
    registers->general[R8] = (uint64_t)(uintptr_t)victim_callee_stack;
    registers->general[R11] = (uint64_t)(uintptr_t)victim_callee;
    registers->flags = (random_next() & FLAGS) | 0x202; /* interrupts are on; bit 1 always is */
}

static void fill_memory(void)
{
    for (size_t i = 0; i < MEMORY_WORDS; i++)
        victim_memory[i] = 0x0101010101010101 * i;
    victim_memory[0x60 / 8] = (uint64_t)(uintptr_t)victim_callee;
}

/* A page close to the code; the caller unmaps it. */
static uint8_t *map_near(const void *code)
{
    uintptr_t base = (uintptr_t)code & ~(uintptr_t)(PAGE_BYTES - 1);

    for (uintptr_t distance = 16 << 20; distance < UINT32_C(1) << 30; distance += 16 << 20) {
        void *hint = (void *)(base - distance); /* NOLINT: an address that is made up */
        void *page = mmap(hint, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (page == hint)
            return page;
        if (page != MAP_FAILED)
            munmap(page, PAGE_BYTES);
    }
    return NULL;
}

static void move_victim(const struct victim *victim, uint8_t *page, struct patch_plan *ret_plan)
{
    struct plan_request request = {
        .code = victim->code,
        .code_bytes = ((size_t)(victim->end - victim->code) + 15) & ~(size_t)15,
        .function_bytes = (size_t)(victim->end - victim->code),
        .address = (uint64_t)(uintptr_t)victim->code,
    };
    struct plan_relocated copy;
    struct diag diag = {""};

    plan_function(&request, ret_plan);
    if (ret_plan->mode != PLAN_FULL)
        fail_msg("%s: %s", victim->name, plan_reason_text(ret_plan->reason));
    if (plan_relocate(ret_plan, (uint64_t)(uintptr_t)page, &copy, &diag) < 0)
        fail_msg("%s: %s", victim->name, diag.text);
    memcpy(page, copy.code, copy.code_bytes);
}

static void run_both(const struct victim *victim, const uint8_t *moved)
{
    struct registers bare, other;
    uint64_t memory[MEMORY_WORDS];

    fill_input(&bare);
    other = bare;
    fill_memory();
    run_victim(victim->code, &bare);
    memcpy(memory, victim_memory, sizeof(memory));
    fill_memory();
    run_victim(moved, &other);
    for (size_t i = 0; i < GENERAL_COUNT; i++)
        if (bare.general[i] != other.general[i])
            fail_msg("%s: register %zu is %#lx, not %#lx", victim->name, i, other.general[i], bare.general[i]);
    if ((bare.flags ^ other.flags) & FLAGS)
        fail_msg("%s: the flags are %#lx, not %#lx", victim->name, other.flags, bare.flags);
    assert_memory_equal(memory, victim_memory, sizeof(memory));
}

static void test_moved_code_does_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(victims) / sizeof(victims[0]); i++) {
        uint8_t *page = map_near(victims[i].code);
        struct patch_plan plan;

        assert_non_null(page);
        move_victim(&victims[i], page, &plan);
        for (int round = 0; round < ROUNDS; round++)
            run_both(&victims[i], page);
        munmap(page, PAGE_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved_code_does_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
