# On a path that is reached by a jump.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    sub rsp, 0x20
    test edi, edi
    je 1f
    add rsp, 0x20
    pop rbp
    ret
1:
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
