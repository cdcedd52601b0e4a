# VEX with four operands.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    vblendvps ymm0, ymm1, [rip + 0x2000], ymm3
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
