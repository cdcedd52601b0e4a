# Bytes that control does not get to may be anything.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    ret
    .byte 0x06, 0x06, 0x62, 0xff, 0xff
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
