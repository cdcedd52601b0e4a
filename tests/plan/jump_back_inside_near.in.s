# The same from far away.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
1:
    add eax, edi
    .skip 300, 0x90
    dec edi
    jnz 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
