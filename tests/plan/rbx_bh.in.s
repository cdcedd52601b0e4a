# bh is a part of rbx.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, edi
    mov bh, al
    nop
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
