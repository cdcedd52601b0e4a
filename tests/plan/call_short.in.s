# A call that would return into the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call rax
    nop
    nop
    nop
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
