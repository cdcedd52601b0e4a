# A return from an interrupt.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    iretq
    nop
    nop
    nop
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
