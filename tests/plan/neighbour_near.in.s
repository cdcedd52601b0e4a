# Another function jumps into the window: mempcpy of glibc does.
# section
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    mov rax, rdi
    add rax, rdx
    jmp f + 3
    .size h, . - h
    .balign 16
    .type f, @function
f:
    mov rax, rdi
    cmp rdx, 16
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
