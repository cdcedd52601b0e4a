# The cold part jumps elsewhere.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    xor eax, eax
    add eax, edi
    jz f.cold
1:
    ret
    .size f, . - f
    .skip 0x1000, 0xcc
    .type f.cold, @function
f.cold:
    add edi, 2
    jmp 1b
    .size f.cold, . - f.cold
    nop
    nop
    nop
    nop
    nop
