# The last instruction is cut by the end of the function.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, 1
    add eax, edi
    .byte 0x0f
    .size f, . - f
