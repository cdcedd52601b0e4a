# endbr64 stays in front of the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    endbr64
    push rbp
    mov rbp, rsp
    mov eax, edi
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
