# The displacement is counted from behind the immediate.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov dword ptr [rip + 0x2000], 0x12345678
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
