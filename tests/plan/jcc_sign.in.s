# The condition code is carried over.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    dec edi
    jns 1f
    ret
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
