# Jumps of two bytes as far back as they go, out of the function.
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    .skip 126, 0x90
    ret
    .size h, . - h
    .type f, @function
f:
    test edi, edi
    .byte 0x74, 0x80 # je h + 3
    .byte 0xeb, 0x80 # jmp h + 5
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
