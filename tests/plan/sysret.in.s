# A return from a system call.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sysretq
    nop
    nop
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
