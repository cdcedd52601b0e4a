# A VEX encoding of two bytes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    vmovaps ymm0, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
