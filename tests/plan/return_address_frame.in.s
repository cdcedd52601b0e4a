# Through the frame pointer, anywhere in the function.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    mov rbp, rsp
    test edi, edi
    jne 1f
    pop rbp
    ret
1:
    mov rax, [rbp + 8]
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
