# Two conditional jumps.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    je 1f
    jp 1f
    jne 1f
    ret
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
