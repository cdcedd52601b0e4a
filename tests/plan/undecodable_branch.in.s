# Neither if it gets there by a jump.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    je 1f
    imul eax, eax
    ret
1:
    .byte 0x06
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
