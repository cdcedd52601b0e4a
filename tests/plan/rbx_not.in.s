# Other registers with the same number are not it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov r11, rdi
    movaps xmm3, xmm0
    mov edi, r11d
    neg ecx
    mov rax, [r11 + r11 * 2]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
