# Processors disagree on what this prefix does to a jump.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    .byte 0x66, 0x0f, 0x84, 0x10, 0x00, 0x00, 0x00
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
