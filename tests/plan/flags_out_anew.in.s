# Flags that are set anew behind the call are not its answer.
# section
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    call f
    test eax, eax
    je 1f
    mov eax, 7
1:
    ret
    .size h, . - h
    .balign 16
    .type f, @function
f:
    mov rax, [rdi]
    cmp rax, rsi
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
