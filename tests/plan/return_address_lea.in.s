# Stack that is taken by lea.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    lea rsp, [rsp - 0x20]
    mov rdi, [rsp + 0x28]
    lea rsp, [rsp + 0x20]
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
