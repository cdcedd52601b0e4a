# From none.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rsi
    push rdi
    call [rsp]
    pop rcx
    pop rcx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
