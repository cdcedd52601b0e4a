# It may lead to an instruction of the window further on.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    .byte 0x74, 0x01
    nop
    mov ecx, edi
    mov eax, ecx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
