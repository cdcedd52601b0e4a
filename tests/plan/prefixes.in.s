# Prefixes of copied instructions are kept: lock, rep, segment, operand size.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lock xadd [rdi], eax
    rep stosb
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
