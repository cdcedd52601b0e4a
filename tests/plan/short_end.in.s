# Padding that is too little.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    ret
    .size f, . - f
    nop
    .type g, @function
g:
    ret
    .size g, . - g
