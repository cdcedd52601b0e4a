# And by loop.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov ecx, edi
1:
    add eax, edi
    imul eax, eax
    loop 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
