# A loop of the window alone stays in the copy.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
1:
    dec edi
    .byte 0x75, 0xfc
    mov eax, edi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
