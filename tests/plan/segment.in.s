# The stack protector's load through fs.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov rax, fs:0x28
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
