# A frame that is aligned to 32 bytes copies the return address for debuggers.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lea r10, [rsp + 8]
    and rsp, -32
    push [r10 - 8]
    push rbp
    mov rbp, rsp
    push r10
    pop r10
    pop rbp
    lea rsp, [r10 - 8]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
