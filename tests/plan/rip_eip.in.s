# An address that is cut to 32 bits cannot be reached from elsewhere.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, [eip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
