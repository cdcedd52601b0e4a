# The processor itself jumps back to where xbegin was.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xbegin . + 0x40
    xend
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
