/* The functions of MASKS_SETTLED: what is hidden is settled, then libc's own goes on, with the registers and the stack as they came.
 * Some return twice, some take any number of arguments, some may be asked before anything else has run: none gets a frame here.
 * r11 is nobody's between a call and the function's first instruction. */
#include "preload/signals/masks.h"
#include "preload/interpose/masks_names.h"

        .hidden masks_settle, masks_calls_resolve

        .text

/* Calls `function`; the arguments stay as they are. None of these functions has any in vector registers. */
.macro CALL_BETWEEN function
        .irp    register, %rdi, %rsi, %rdx, %rcx, %r8, %r9, %rax
        pushq   \register
        .cfi_adjust_cfa_offset 8
        .endr
        call    \function
        .irp    register, %rax, %r9, %r8, %rcx, %rdx, %rsi, %rdi
        popq    \register
        .cfi_adjust_cfa_offset -8
        .endr
.endm

.macro SETTLED name, pointer
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr64
        movq    signals_thread@gottpoff(%rip), %r11
        cmpq    $0, %fs:MASKS_HIDDEN(%r11)
        jne     1f
        jmp     *masks_real_\pointer(%rip)
1:
        CALL_BETWEEN masks_settle
        jmp     *masks_real_\pointer(%rip)
        .cfi_endproc
        .size   \name, . - \name

/* What the pointer leads to until it is resolved. */
        .globl  masks_first_\pointer
        .hidden masks_first_\pointer
        .type   masks_first_\pointer, @function
masks_first_\pointer:
        .cfi_startproc
        CALL_BETWEEN masks_calls_resolve
        jmp     *masks_real_\pointer(%rip)
        .cfi_endproc
        .size   masks_first_\pointer, . - masks_first_\pointer
.endm

#define EACH(name, pointer) SETTLED name, pointer;

        MASKS_SETTLED(EACH)

        .section .note.GNU-stack, "", @progbits
