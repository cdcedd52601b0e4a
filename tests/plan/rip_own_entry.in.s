# Its own address is what it was.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lea rax, [rip - 7]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
