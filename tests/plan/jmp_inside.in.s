# A jump inside the window stays inside the copy.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test al, al
    .byte 0x74, 0x00
1:
    mov eax, 3
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
