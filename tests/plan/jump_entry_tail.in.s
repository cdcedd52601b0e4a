# A tail call of itself: it enters with a push.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    mov rbp, rsp
    dec edi
    je 1f
    pop rbp
    jmp f
1:
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
