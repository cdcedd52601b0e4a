# Jumps of two bytes as far ahead as they go: the window's become jumps of four bytes to the same places.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test edi, edi
    .byte 0x74, 0x7f # je 1f
    .byte 0xeb, 0x7f # jmp 1f + 2
    .skip 125, 0xcc
1:
    xor eax, eax
    xor edx, edx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
