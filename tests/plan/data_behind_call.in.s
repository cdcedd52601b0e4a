# So may those behind a call that does not return.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rax
    mov edi, 1
    call . + 0x1000
    .byte 0x06, 0x06
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
