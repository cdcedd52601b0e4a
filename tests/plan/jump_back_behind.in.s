# A loop back to what follows the window is no concern.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, 1
1:
    add eax, edi
    dec edi
    jnz 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
