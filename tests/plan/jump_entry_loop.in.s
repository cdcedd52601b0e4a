# A loop to the entry: its rounds would count as calls.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
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
