# System calls, traps and stops are position-independent.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    syscall
    int 0x80
    hlt
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
