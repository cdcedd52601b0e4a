# A tail jump of five.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jmp . + 0x4000
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
