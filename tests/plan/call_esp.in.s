# The push lowers rsp, and its low half too.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call qword ptr [esp + 0x12345]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
