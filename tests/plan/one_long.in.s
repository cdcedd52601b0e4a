# One instruction of ten bytes is the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    movabs rax, 0x1122334455667788
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
