# Two operands in one window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    .byte 0x0f, 0x1f, 0x00
    mov rax, [rip + 0x2000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
