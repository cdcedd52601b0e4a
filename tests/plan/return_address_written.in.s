# It changes it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rax
    mov [rsp + 8], rdi
    pop rax
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
