# The target of a jump is too far from the copy.
# distance: 0x7ffffff0
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    jg . - 0x70000000
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
