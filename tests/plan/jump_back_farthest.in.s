# The function's own jump of two bytes back into the window, as far as it goes.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lea rax, [rdi + 1]
1:
    push rbx
    pop rbx
    .skip 1b + 126 - ., 0x90
    .byte 0x75, 0x80 # jne 1b
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
