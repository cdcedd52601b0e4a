/* The functions of RAISE_ALL: raise.c looks first, then libc's own goes on, with the registers and the stack as they came: a core shows
 * no frame of ours. */
#include "preload/interpose/raise_names.h"

        .hidden raise_resolve

        .text

/* Calls `function` with a struct raise_call. None of the functions has more than two arguments. */
.macro CALL_BEFORE function
        .irp    register, %rdi, %rsi, %r15, %r14, %r13, %r12, %rbp, %rbx
        pushq   \register
        .cfi_adjust_cfa_offset 8
        .endr
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        movq    %rsp, %rdi
        call    \function
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        .irp    register, %rbx, %rbp, %r12, %r13, %r14, %r15, %rsi, %rdi
        popq    \register
        .cfi_adjust_cfa_offset -8
        .endr
.endm

.macro RAISES name
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr64
        CALL_BEFORE raise_before_\name
        jmp     *raise_real_\name(%rip)
        .cfi_endproc
        .size   \name, . - \name

/* What the pointer leads to until it is resolved. */
        .globl  raise_first_\name
        .hidden raise_first_\name, raise_before_\name
        .type   raise_first_\name, @function
raise_first_\name:
        .cfi_startproc
        CALL_BEFORE raise_resolve
        jmp     *raise_real_\name(%rip)
        .cfi_endproc
        .size   raise_first_\name, . - raise_first_\name
.endm

#define EACH(name) RAISES name;

        RAISE_ALL(EACH)

        .section .note.GNU-stack, "", @progbits
