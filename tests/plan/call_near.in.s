# The original return address is pushed, so that unwinding sees it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call . + 0x1000
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
