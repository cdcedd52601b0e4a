/* A function that lies beside data of its own, in a segment which is both writable and executable, and which has to
 * stay so when the function is tracked. */
#include "victim.h"

extern volatile long counter;

__asm__(".section .both, \"awx\", @progbits\n"
        ".p2align 3\n"
        "counter: .quad 0\n"
        ".globl leaf\n"
        ".type leaf, @function\n"
        "leaf: push %rbp\n"
        "mov %rsp, %rbp\n"
        "incq counter(%rip)\n"
        "lea 1(%rdi), %rax\n"
        "pop %rbp\n"
        "ret\n"
        ".size leaf, . - leaf\n"
        ".previous\n");

long leaf(long value);

int main(void)
{
    for (int i = 0; i < 10; i++)
        CHECK(leaf(i) == i + 1);
    CHECK(counter == 10);
    printf("truth leaf success=10\n");
    return victim_finish();
}
