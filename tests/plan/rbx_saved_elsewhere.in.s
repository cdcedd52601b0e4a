# A store that is not to the stack may save it for somebody else.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov [rax - 0x48], rbx
    mov [rax - 0x40], rdi
    mov [rax - 0x38], rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
