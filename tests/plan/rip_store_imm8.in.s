# The same with an immediate of one byte.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    cmp byte ptr [rip + 0x2000], 7
    sete al
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
