# A call inside the window is a call of the original bytes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
1:
    call 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
