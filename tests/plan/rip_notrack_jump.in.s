# With a prefix of its own.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    notrack jmp [rip + 0x2000]
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
