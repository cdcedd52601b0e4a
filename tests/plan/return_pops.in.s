# It pops arguments when it returns.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    add eax, esi
    nop
    ret 8
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
