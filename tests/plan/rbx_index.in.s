# It may be an index.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    mov rax, [rdi + rbx * 8]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
