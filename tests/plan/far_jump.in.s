# A far jump.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jmp fword ptr [rdi + 0x12345]
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
