# To a target that is on the stack: rsp as a number.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rsi
    push rdi
    nop
    call rsp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
