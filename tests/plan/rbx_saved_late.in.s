# Or on one path only.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test edi, edi
    je 1f
    push rbx
    mov rbx, rdi
    mov rax, rbx
    pop rbx
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
