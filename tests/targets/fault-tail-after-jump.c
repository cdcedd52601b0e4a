/* A function leaves a call by a jump of its own (no longjmp), then ends in a tail call: the tail call's slot is that of
 * the function itself, which lives on. */
#include <stdlib.h>

#include "victim.h"

long outer(long depth);
long jumper(void);
long saved_stack;

__asm__(".text\n"
        ".globl outer\n"
        ".type outer, @function\n"
        "outer: push %rbp\n"
        "mov %rsp, %rbp\n"
        "push %rdi\n"
        "sub $8, %rsp\n"
        "mov %rsp, saved_stack(%rip)\n"
        "call jumper\n"
        "1: add $8, %rsp\n"
        "pop %rdi\n"
        "pop %rbp\n"
        "jmp inner\n"
        ".size outer, . - outer\n"
        ".globl jumper\n"
        ".type jumper, @function\n"
        "jumper: mov saved_stack(%rip), %rsp\n"
        "jmp 1b\n"
        ".size jumper, . - jumper\n");

TRACKED long leaf(long value)
{
    TOUCH();
    return value;
}

TRACKED long deep(long depth)
{
    long below;

    TOUCH();
    below = depth > 0 ? deep(depth - 1) : 0;
    TOUCH();
    return below + 1;
}

TRACKED long inner(long depth)
{
    long result = deep(depth);

    TOUCH();
    return result;
}

int main(void)
{
    for (int i = 0; i < 200; i++)
        CHECK(outer(i) == i + 1);
    printf("truth outer success=200\ntruth jumper abandoned=200\ntruth inner success=200\n");
    return victim_finish();
}
