# A far call pushes another return address.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call fword ptr [rdi + 0x12345]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
