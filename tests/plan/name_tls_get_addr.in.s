# Known by name to have a calling convention of its own.
# symbol: __tls_get_addr
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
