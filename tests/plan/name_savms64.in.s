# Known by name to work on the registers of its caller: here it saves rbx on its behalf.
# symbol: __avx_savms64_13
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    mov [rax - 0x48], rbx
    mov [rax - 0x40], rdi
    mov [rax - 0x38], rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
