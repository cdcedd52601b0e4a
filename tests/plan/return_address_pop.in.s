# It pops its return address.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    pop rdx
    add rdi, rsi
    push rdx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
