# An XOP encoding.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    .byte 0x8f, 0xe8, 0x78, 0xc0, 0x05
    .long 0x2000
    .byte 3
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
