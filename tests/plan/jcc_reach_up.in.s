# The copy is as far away as the displacement of its jump goes.
# distance: 0x7fffff00
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    clc
    .byte 0x0f, 0x82 # jc 1f + (-0x100)
    .long -0x100
1:
    mov eax, 1
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
