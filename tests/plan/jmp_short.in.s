# A tail jump of two bytes, with padding.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jmp . + 0x40
    .size f, . - f
    nop
    nop
    nop
    .type g, @function
g:
    ret
    .size g, . - g
