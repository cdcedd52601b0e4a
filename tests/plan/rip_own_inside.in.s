# An address inside the window may be jumped to.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    nop
    lea rdx, [rip - 10]
    jmp rdx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
