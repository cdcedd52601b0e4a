# A loop back into the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
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
