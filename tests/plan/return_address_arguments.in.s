# Arguments on the stack are no concern, nor are locals.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    sub rsp, 0x20
    mov rdi, [rsp + 0x30]
    mov [rsp + 0x20], rdi
    mov rdi, [rsp - 8]
    add rsp, 0x20
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
