# What a uprobe makes of `push rbp; lea ...`.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    int3
    lea eax, [rdi + rdi * 2]
    pop rbp
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
