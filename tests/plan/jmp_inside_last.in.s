# Into the last byte of the window, where an instruction begins: that byte is the jump's, too.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    test eax, eax
1:
    push rbx
    mov rbx, rax
    pop rbx
    dec eax
    jnz 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
