# The farthest that a displacement goes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call qword ptr [rsp + 0x7ffffff7]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
