# bnd is kept.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    bnd je 1f
    nop
    nop
    ret
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
