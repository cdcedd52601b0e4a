# Assembly that takes rbx as its own.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    mov ebx, eax
    add eax, ebx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
