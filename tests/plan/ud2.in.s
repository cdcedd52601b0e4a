# A function that only traps, with padding.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    ud2
    .size f, . - f
    int3
    int3
    int3
    .type g, @function
g:
    ret
    .size g, . - g
