# An address is the same after the move.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lea rax, [rip - 0x1000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
