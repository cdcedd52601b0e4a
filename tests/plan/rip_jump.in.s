# A jump through a global, as in a stub of the PLT.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jmp [rip + 0x2000]
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
