# A push of rbx behind a use saves nothing of the caller's.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    add rbx, rax
    push rbx
    call . + 0x1000
    pop rbx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
