# cpuid writes it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    xor ecx, ecx
    nop
    cpuid
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
