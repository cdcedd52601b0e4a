# From one byte further ahead it reaches the entry, which is a call.
# section
    .intel_syntax noprefix
    .text
    .skip 64, 0x90
    .type h, @function
h:
    mov rax, rdi
    .byte 0xeb, 0x7f # jmp f
    .size h, . - h
    .skip 127, 0xcc
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
