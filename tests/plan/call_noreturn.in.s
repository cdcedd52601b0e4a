# The function ends in a call that does not return.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    push rax
    call . + 0x1000
    .size f, . - f
    .type g, @function
g:
    ret
    .size g, . - g
