# A conditional jump of two bytes becomes one of six.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test edi, edi
    je 1f
    mov eax, 1
    ret
1:
    xor eax, eax
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
