# A VEX encoding of three bytes with an immediate.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    vpermq ymm0, [rip + 0x2000], 0x1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
