# With a prefix.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    notrack call [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
