# A string that looks like a jump is none.
# section
    .intel_syntax noprefix
    .text
    .skip 128, 0x90
    .ascii "VVVVVVVVVVVVVVVx\"PUSHPUSHPUSHPUSHP"
    .balign 16, 0x90
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
