# Flags that it sets itself are none.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    test rdi, rdi
    sete al
    adc rax, rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
