# And with one of two.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov word ptr [rip + 0x2000], 0x1234
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
