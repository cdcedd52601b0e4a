# Known by name to look at its caller.
# symbol: dlsym
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rbp
    mov rbp, rsp
    mov eax, edi
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
