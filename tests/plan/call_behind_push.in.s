# The same behind a push.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rax
    call . + 0x1000
    pop rcx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
