# Or expects something in it.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    add rax, [rbx + 8]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
