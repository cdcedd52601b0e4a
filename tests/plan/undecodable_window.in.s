# Nor in the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    .byte 0x06
    ret
    nop
    nop
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
