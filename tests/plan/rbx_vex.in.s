# And instructions with VEX encodings.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    xor ecx, ecx
    nop
    andn eax, ebx, ecx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
