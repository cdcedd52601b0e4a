# r12 is encoded like rsp, and is not moved.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push r12
    call [r12 + 8]
    pop r12
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
