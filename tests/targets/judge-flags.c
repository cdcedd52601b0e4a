/* Hand-written assembly as x264 and QEMU have it: a function that answers by the processor's flags, and a label inside
 * of another function that control falls into, with a pushed register where a call's return address would be. Exits
 * with 0 if all answers were right. */
long is_multiple_of_8(long number);
long guarded(long number);

__asm__(".text\n"
        ".p2align 4\n"
        ".globl answer_by_flags\n" /* no type and no size, as yasm leaves it */
        "answer_by_flags:\n"
        "lea 0(,%rdi,8), %rax\n"
        "shr $3, %rax\n"
        "and $7, %eax\n"
        "ret\n"
        ".p2align 4\n"
        ".globl is_multiple_of_8\n"
        ".type is_multiple_of_8, @function\n"
        "is_multiple_of_8:\n"
        "call answer_by_flags\n"
        "mov $1, %eax\n"
        "je 1f\n"
        "xor %eax, %eax\n"
        "1: ret\n"
        ".size is_multiple_of_8, . - is_multiple_of_8\n"
        ".p2align 4\n"
        ".globl guarded\n"
        ".type guarded, @function\n"
        "guarded:\n"
        "push %rbp\n"
        "mov %rdi, %rbp\n"
        "mov %rdi, %rax\n"
        ".globl guarded_start\n"
        "guarded_start:\n"
        "cmpq $0, 0(%rsp)\n"
        "lea 1(%rax), %rax\n"
        "pop %rbp\n"
        "ret\n"
        ".size guarded, . - guarded\n");

int main(void)
{
    for (long i = 0; i < 1000; i++)
        if (is_multiple_of_8(i) != (i % 8 == 0) || guarded(i) != i + 1)
            return 1;
    return 0;
}
