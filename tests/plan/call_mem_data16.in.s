# Without REX.W the prefix cuts the target on some processors.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    .byte 0x66, 0xff, 0x97, 0x45, 0x23, 0x01, 0x00 # call word ptr [rdi + 0x12345]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
