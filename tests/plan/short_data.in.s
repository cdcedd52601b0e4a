# Bytes behind a jump in the window may be data.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jmp 1f
    .byte 1, 2, 3, 4
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
