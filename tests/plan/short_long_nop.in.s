# One no-operation of many bytes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    ret
    .size f, . - f
    .nops 11
    .type g, @function
g:
    ret
    .size g, . - g
