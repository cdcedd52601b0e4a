# But not into the middle of one.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    .byte 0x74, 0x01
    mov eax, 3
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
