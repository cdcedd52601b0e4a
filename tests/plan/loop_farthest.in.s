# A loop has one byte of displacement as well: as far back as it goes.
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    .skip 126, 0x90
    ret
    .size h, . - h
    .type f, @function
f:
    .byte 0xe2, 0x80 # loop h + 1
    .byte 0xe3, 0x7f # jrcxz 1f
    mov eax, edi
    .skip 125, 0x90
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
