# Through one that needs a prefix.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sub rsp, 8
    call r11
    add rsp, 8
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
