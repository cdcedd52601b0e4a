# A call of itself goes through the patch: it is a call.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sub rsp, 8
    call f
    add rsp, 8
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
