# It reads its return address.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov rax, [rsp]
    nop
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
