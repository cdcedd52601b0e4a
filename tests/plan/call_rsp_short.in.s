# The push moves rsp, so the displacement grows.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rsi
    push rdi
    call [rsp + 8]
    pop rcx
    pop rcx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
