# An EVEX encoding: the displacement is not scaled there.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    vmovaps zmm16, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
