# From one byte further behind it reaches what follows the window, and is no concern.
# section
    .intel_syntax noprefix
    .text
    .skip 64, 0x90
    .type f, @function
f:
    lea rax, [rdi + 1]
    push rbx
1:
    mov rbx, rdi
    pop rbx
    ret
    .size f, . - f
    .skip 1b + 126 - ., 0xcc
    .type h, @function
h:
    .byte 0x75, 0x80 # jne 1b
    .size h, . - h
    nop
    nop
    nop
    nop
    nop
