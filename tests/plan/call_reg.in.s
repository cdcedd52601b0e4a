# Through a register.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sub rsp, 8
    call rax
    add rsp, 8
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
