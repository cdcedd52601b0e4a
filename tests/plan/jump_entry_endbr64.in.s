# A tail call of itself: it goes to endbr64.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    endbr64
    add eax, edi
    dec edi
    nop
    jnz f
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
