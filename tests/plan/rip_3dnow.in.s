# The opcode of 3DNow! is behind the displacement.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    pfadd mm0, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
