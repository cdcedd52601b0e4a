# int3 is padding too.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    ret
    .size f, . - f
    .skip 15, 0xcc
    .type g, @function
g:
    ret
    .size g, . - g
