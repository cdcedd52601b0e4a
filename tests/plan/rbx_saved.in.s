# rbx is saved by a push.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbx
    mov rbx, rdi
    mov rax, rbx
    pop rbx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
