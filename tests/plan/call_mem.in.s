# Through memory.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sub rsp, 8
    call [rdi + 0x18]
    add rsp, 8
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
