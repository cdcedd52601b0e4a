# An ordinary prologue is copied.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    mov rbp, rsp
    sub rsp, 32
    leave
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
