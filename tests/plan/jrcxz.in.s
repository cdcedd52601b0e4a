# jrcxz reaches 127 bytes only: two hops.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jrcxz 1f
    mov eax, 1
    ret
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
