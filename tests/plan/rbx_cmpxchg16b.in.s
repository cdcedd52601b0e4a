# cmpxchg16b reads it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    xor ecx, ecx
    nop
    lock cmpxchg16b [rdi]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
