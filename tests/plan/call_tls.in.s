# The padded call of a thread-local access.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    .byte 0x66, 0x66, 0x48, 0xe8, 0x00, 0x10, 0x00, 0x00
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
