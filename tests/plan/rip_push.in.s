# push of a global.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push [rip + 0x2000]
    pop rax
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
