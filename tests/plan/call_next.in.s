# A call of the next instruction, for its address.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call 1f
1:
    pop rax
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
