# A call of code inside the window.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
1:
    add eax, edi
    imul eax, eax
    call 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
