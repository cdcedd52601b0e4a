# Bytes that control gets to may not.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    imul eax, eax
    .byte 0x06
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
