# A loop to what follows endbr64.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    endbr64
1:
    add eax, edi
    dec edi
    nop
    jnz 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
