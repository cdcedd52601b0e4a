# And loopne with ecx.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    mov ecx, edi
    addr32 loopne 1f
    ret
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
