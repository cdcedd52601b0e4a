# Behind pushes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    sub rsp, 0x20
    mov rdi, [rsp + 0x28]
    add rsp, 0x20
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
