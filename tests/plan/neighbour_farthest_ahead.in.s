# Another function's jump of two bytes reaches behind the first instruction, of one byte, from as far ahead as it can.
# section
    .intel_syntax noprefix
    .text
    .skip 64, 0x90
    .type h, @function
h:
    mov rax, rdi
    .byte 0xeb, 0x7f # jmp f + 1
    .size h, . - h
    .skip 126, 0xcc
    .type f, @function
f:
    push rbx
    mov rbx, rdi
    mov rax, rbx
    pop rbx
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
