# The push would overwrite the target.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rsi
    call [rsp - 8]
    pop rcx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
