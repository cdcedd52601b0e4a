/* symbols/plan/spill.h and reads.h: what a function's code does with its arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/plan/reads.h"
#include "symbols/plan/spill.h"

/* Code that is looked at, and never run. */
#define CODE(name, text)                                                                                               \
    extern const uint8_t name[], name##_end[];                                                                         \
    __asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection\n")

#define FRAME "push %rbp\n mov %rsp, %rbp\n"

CODE(plain, FRAME "mov %edi, -4(%rbp)\n mov %rsi, -16(%rbp)\n ret");
CODE(boolean, FRAME "mov %sil, %al\n and $1, %al\n mov %al, -1(%rbp)\n ret");
CODE(copied, "endbr64\n" FRAME "mov %edx, %eax\n mov %ax, -20(%rbp)\n ret");
CODE(constant, FRAME "movl $7, -4(%rbp)\n mov %edi, -4(%rbp)\n ret");
CODE(replaced, FRAME "mov $5, %edi\n mov %edi, -4(%rbp)\n ret");
CODE(behind_call, FRAME "call 1f\n 1: mov %edi, -4(%rbp)\n ret");
CODE(from_rsp, "push %rbx\n sub $16, %rsp\n mov %edx, 12(%rsp)\n ret");
CODE(pushed, "push %rdi\n mov %esi, (%rsp)\n ret");
CODE(vector, FRAME "movss %xmm1, -4(%rbp)\n movaps %xmm0, %xmm2\n movsd %xmm2, -16(%rbp)\n ret");
CODE(by_depth, "push %rbx\n sub $24, %rsp\n mov %ecx, 8(%rsp)\n ret");
CODE(indexed, FRAME "mov %edi, -4(%rbp,%rax,4)\n mov %esi, -4(%rbp)\n ret");

static void finds_the_register_that_a_slot_gets(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *code, *end;
        struct spill_slot slot;
        int number; /* -1: not found */
        bool is_vector;
        unsigned byte;
    } cases[] = {
#define CASE(code, ...) {#code, code, code##_end, __VA_ARGS__}
        CASE(plain, {false, -12, 4}, 0, false, 0),
        CASE(plain, {false, -24, 8}, 1, false, 0),
        CASE(plain, {false, -20, 4}, 1, false, 4),
        CASE(plain, {false, -28, 8}, -1, false, 0), /* more than what is stored */
        CASE(boolean, {false, -9, 1}, 1, false, 0),
        CASE(copied, {false, -28, 2}, 2, false, 0),
        CASE(constant, {false, -12, 4}, -1, false, 0),
        CASE(replaced, {false, -12, 4}, -1, false, 0),
        CASE(behind_call, {false, -12, 4}, -1, false, 0),
        CASE(from_rsp, {true, 12, 4}, 2, false, 0),
        CASE(from_rsp, {true, 8, 4}, -1, false, 0),
        CASE(pushed, {true, 0, 4}, -1, false, 0),
        CASE(pushed, {false, -8, 8}, -1, false, 0),
        CASE(vector, {false, -12, 4}, 1, true, 0),
        CASE(vector, {false, -24, 8}, 0, true, 0),
        CASE(by_depth, {false, -24, 4}, 3, false, 0),
        CASE(by_depth, {false, 8, 4}, -1, false, 0),
        CASE(indexed, {false, -12, 4}, 1, false, 0),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct spill_register found = {0};
        bool is_found = spill_find(cases[i].code, (size_t)(cases[i].end - cases[i].code), &cases[i].slot, &found);

        if (is_found != (cases[i].number >= 0))
            fail_msg("case %zu, %s: %s", i, cases[i].name, is_found ? "found" : "not found");
        if (is_found && (found.number != (unsigned)cases[i].number || found.is_vector != cases[i].is_vector ||
                         found.byte != cases[i].byte))
            fail_msg("case %zu, %s: register %u, byte %u", i, cases[i].name, found.number, found.byte);
    }
}

CODE(reads_second, "mov %esi, %eax\n ret");
CODE(clears, "xor %esi, %esi\n mov %esi, %eax\n ret");
CODE(as_address, "lea 8(%rsi), %rax\n ret");
CODE(fills_nothing, "nopw 0(%rsi)\n mov %edi, %eax\n ret");
CODE(narrow_write, "mov $1, %sil\n mov %esi, %eax\n ret");
CODE(on_one_way, "test %edi, %edi\n je 1f\n mov $2, %esi\n ret\n 1: mov %rsi, %rax\n ret");
CODE(loops, "1: dec %edi\n jne 1b\n ret");
CODE(calls_out, "push %rax\n call *%rax\n mov %esi, %eax\n ret");
CODE(calls_in, "push %rax\n call 1f\n pop %rax\n ret\n 1: lea (%rdi,%rsi), %eax\n ret");
CODE(behind_call_in, "push %rax\n call 1f\n mov %esi, %eax\n ret\n 1: ret");
CODE(jumps_out, "jmp *8(%rax)");
CODE(vectors, "xorps %xmm1, %xmm1\n addsd %xmm0, %xmm1\n ret");
CODE(undecodable, "mov %edi, %eax\n .byte 0x06\n ret");

struct range {
    const uint8_t *code, *end;
};

static const uint8_t *code_in(uint64_t address, size_t *ret_bytes, void *context)
{
    const struct range *range = context;
    const uint8_t *code = (const uint8_t *)(uintptr_t)address;

    if (code < range->code || code >= range->end)
        return NULL;
    *ret_bytes = (size_t)(range->end - code);
    return code;
}

static void says_which_arguments_are_read(void **state)
{
    static const struct {
        const char *name;
        struct range range;
        bool is_vector;
        unsigned number;
        enum reads expected;
    } cases[] = {
#define CASE(code, ...) {#code, {code, code##_end}, __VA_ARGS__}
        CASE(reads_second, false, 1, READS_SURELY), CASE(reads_second, false, 0, READS_NEVER),
        CASE(clears, false, 1, READS_NEVER),        CASE(as_address, false, 1, READS_SURELY),
        CASE(fills_nothing, false, 1, READS_NEVER), CASE(fills_nothing, false, 0, READS_SURELY),
        CASE(narrow_write, false, 1, READS_SURELY), CASE(on_one_way, false, 1, READS_SURELY),
        CASE(loops, false, 0, READS_SURELY),        CASE(loops, false, 1, READS_NEVER),
        CASE(calls_out, false, 1, READS_UNKNOWN),   CASE(calls_in, false, 1, READS_SURELY),
        CASE(calls_in, false, 2, READS_NEVER),      CASE(behind_call_in, false, 1, READS_NEVER),
        CASE(jumps_out, false, 5, READS_UNKNOWN),   CASE(vectors, true, 0, READS_SURELY),
        CASE(vectors, true, 1, READS_NEVER),        CASE(undecodable, false, 1, READS_UNKNOWN),
        CASE(loops, false, 6, READS_UNKNOWN),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct range range = cases[i].range;
        enum reads found =
            reads_argument((uint64_t)(uintptr_t)range.code, cases[i].is_vector, cases[i].number, code_in, &range);

        if (found != cases[i].expected)
            fail_msg("case %zu, %s: %d, expected %d", i, cases[i].name, found, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_register_that_a_slot_gets),
        cmocka_unit_test(says_which_arguments_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
