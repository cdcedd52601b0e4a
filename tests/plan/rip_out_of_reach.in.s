# The copy is too far away for the operand.
# distance: 0x7ffffff0
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov eax, [rip - 0x70000000]
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
