# To look at the identification flag is to ask for no argument.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    pushfq
    pop rax
    mov rdx, rax
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
