/* syscall(2), which the preload object stands in for: all goes on to libc's at once and leaves no frame, since a system
 * call may return twice; but for those that are looked at (system_calls.c). */

        .set    SEEN, 512               /* that system_calls_seen has bits for */

        .text
        .globl  syscall
        .type   syscall, @function
        .p2align 4
syscall:
        .cfi_startproc
        cmpq    $SEEN, %rdi
        jae     1f
        btq     %rdi, system_calls_seen(%rip)
        jc      system_calls_looked_at
1:      jmp     *system_calls_real(%rip)
        .cfi_endproc
        .size   syscall, . - syscall

        .section .note.GNU-stack, "", @progbits
