/* void capture(...): stands in for any function, and notes where its arguments are: rdi, rsi, rdx, rcx, r8, r9, then
 * xmm0 to xmm7, then 40 words of the stack above the return address. */
    .text
    .globl capture
    .type capture, @function
capture:
    movq captured@GOTPCREL(%rip), %rax
    movq %rdi, 0(%rax)
    movq %rsi, 8(%rax)
    movq %rdx, 16(%rax)
    movq %rcx, 24(%rax)
    movq %r8, 32(%rax)
    movq %r9, 40(%rax)
    movups %xmm0, 48(%rax)
    movups %xmm1, 64(%rax)
    movups %xmm2, 80(%rax)
    movups %xmm3, 96(%rax)
    movups %xmm4, 112(%rax)
    movups %xmm5, 128(%rax)
    movups %xmm6, 144(%rax)
    movups %xmm7, 160(%rax)
    leaq 176(%rax), %rdx
    leaq 8(%rsp), %rsi
    movl $40, %ecx
1:  movq (%rsi), %rax
    movq %rax, (%rdx)
    addq $8, %rsi
    addq $8, %rdx
    decl %ecx
    jnz 1b
    xorl %eax, %eax
    ret
    .size capture, . - capture
    .section .note.GNU-stack, "", @progbits
