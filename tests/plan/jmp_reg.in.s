# A tail jump through a register.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov rax, [rdi]
    jmp rax
    .size f, . - f
    nop
    nop
    .type g, @function
g:
    ret
    .size g, . - g
