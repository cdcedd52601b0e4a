# The carry of who calls it is an argument: no trampoline hands it on.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov rax, rdi
    adc rax, rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
