# So does xlat.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    xor ecx, ecx
    nop
    xlatb
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
