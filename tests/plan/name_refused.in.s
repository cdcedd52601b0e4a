# What cannot be moved cannot be counted.
# symbol: dlopen
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xbegin . + 0x40
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
