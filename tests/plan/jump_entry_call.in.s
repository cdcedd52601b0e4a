# Recursion is a call.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test edi, edi
    je 1f
    dec edi
    push rax
    call f
    pop rcx
1:
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
