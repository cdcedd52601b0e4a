# Another function's jump of two bytes reaches the window's last instruction, of one byte, from as far behind as it can.
# section
    .intel_syntax noprefix
    .text
    .skip 64, 0x90
    .type f, @function
f:
    lea rax, [rdi + 1]
1:
    push rbx
    mov rbx, rdi
    pop rbx
    ret
    .size f, . - f
    .skip 1b + 126 - ., 0xcc
    .type h, @function
h:
    .byte 0xeb, 0x80 # jmp 1b
    .size h, . - h
    nop
    nop
    nop
    nop
    nop
