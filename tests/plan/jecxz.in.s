# jecxz keeps its prefix.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    jecxz 1f
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
