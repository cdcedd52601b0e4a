# Another function begins inside the bytes of the window.
    .intel_syntax noprefix
    .text
    .type f, @function
    .type g, @function
f:
    mov al, 1
g:
    mov ecx, 2
    ret
    .size f, . - f
    .size g, . - g
