# With an immediate behind the displacement.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    pshufd xmm0, [rip + 0x2000], 0x1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
