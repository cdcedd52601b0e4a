/* Code that goes on with another stack (cpu.h). */

        .text

        .globl  cpu_resume_handler
        .hidden cpu_resume_handler
        .type   cpu_resume_handler, @function
        .p2align 4
cpu_resume_handler:
        .cfi_startproc
        leaq    -8(%rdx), %rsp                  /* the frame begins with the handler's return address */
        xorl    %eax, %eax
        jmp     *%rcx
        .cfi_endproc
        .size   cpu_resume_handler, . - cpu_resume_handler

        .globl  cpu_call_on_stack
        .hidden cpu_call_on_stack
        .type   cpu_call_on_stack, @function
        .p2align 4
cpu_call_on_stack:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        movq    %rdx, %rsp
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        leave
        .cfi_def_cfa rsp, 8
        .cfi_restore rbp
        ret
        .cfi_endproc
        .size   cpu_call_on_stack, . - cpu_call_on_stack

        .section .note.GNU-stack, "", @progbits
