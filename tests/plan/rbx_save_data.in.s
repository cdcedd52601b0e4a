# And what looks like a save is none.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    mov ebx, edi
    call . + 0x1000
    ret
    .byte 0x06
    push rbx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
