# 8 bytes further than a displacement goes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call qword ptr [rsp + 0x7ffffff8]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
