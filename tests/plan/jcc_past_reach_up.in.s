# One byte further than the displacement of the copy's jump goes.
# distance: 0x7fffff01
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
