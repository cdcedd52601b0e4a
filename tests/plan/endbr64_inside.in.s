# endbr64 says that something jumps there.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    nop
    endbr64
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
