# A load from behind the code.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
