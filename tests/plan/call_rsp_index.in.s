# With an index.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rsi
    push rdi
    call [rsp + rax * 8 + 0x100]
    pop rcx
    pop rcx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
