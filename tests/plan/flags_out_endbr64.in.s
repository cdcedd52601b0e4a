# The same, where the window lies behind an endbr64.
# section
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    call f
    setc al
    ret
    .size h, . - h
    .balign 16
    .type f, @function
f:
    endbr64
    mov rax, [rdi]
    cmp rax, rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
