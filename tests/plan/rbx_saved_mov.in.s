# Or by a store.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    sub rsp, 24
    mov [rsp + 8], rbx
    mov ebx, edi
    mov eax, ebx
    mov rbx, [rsp + 8]
    add rsp, 24
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
