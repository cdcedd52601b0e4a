# A legacy SSE encoding.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    movaps xmm0, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
