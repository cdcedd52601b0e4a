/* syscall(2), which the preload object stands in for: all goes on to libc's at once and leaves no frame, since a system
 * call may return twice; but for seccomp, which is looked at (filter_calls.c). */
#include <sys/syscall.h>

        .text
        .globl  syscall
        .type   syscall, @function
        .p2align 4
syscall:
        .cfi_startproc
        cmpl    $SYS_seccomp, %edi
        je      filter_calls_seccomp
        jmp     *filter_calls_syscall(%rip)
        .cfi_endproc
        .size   syscall, . - syscall

        .section .note.GNU-stack, "", @progbits
