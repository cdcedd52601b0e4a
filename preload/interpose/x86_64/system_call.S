/* syscall(2), which the preload object stands in for: all goes on to libc's at once and leaves no frame, since a system
 * call may return twice; but for seccomp, which is looked at (preload/processes/confined.c). */
#include <sys/syscall.h>

        .text
        .globl  syscall
        .type   syscall, @function
        .p2align 4
syscall:
        .cfi_startproc
        cmpl    $SYS_seccomp, %edi
        je      confined_seccomp
        jmp     *confined_syscall(%rip)
        .cfi_endproc
        .size   syscall, . - syscall

        .section .note.GNU-stack, "", @progbits
