# A loop of the window alone that goes to endbr64 stays in the copy too.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    endbr64
    dec edi
    nop
    jnz f
    mov eax, edi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
