# What looks like a use, where control does not get, is none.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    ret
    mov ebx, edi
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
