# It reads bytes that the patch changes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, [rip - 4]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
