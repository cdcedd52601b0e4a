# Its answer is whether the last result was 0.
# section
    .intel_syntax noprefix
    .text
    .type h, @function
h:
    call f
    mov rcx, rax
    je 1f
    mov eax, 7
1:
    ret
    .size h, . - h
    .balign 16
    .type f, @function
f:
    mov rax, [r10]
    lea rax, [rax * 8]
    and eax, 7
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
