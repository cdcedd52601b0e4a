# So does loope.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    mov ecx, edi
    loope 1f
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
