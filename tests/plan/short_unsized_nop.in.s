# Here it is padding.
# unsized
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    ret
    .size f, . - f
    .nops 13
    mov eax, 1
    ret
