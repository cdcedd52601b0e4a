/* A counted function's call on a lane that has no block, or of a function with labels. From the stub: rbx is the hook,
 * [rsp] the caller's rbx. */

#include "preload/calls/x86_64/frame.inc"

        .hidden enter_counted
        .text

        HIDDEN  hot_count_slow
        .type   hot_count_slow, @function
        .p2align 4
hot_count_slow:
        .cfi_startproc
        .cfi_def_cfa_offset 16
        .cfi_offset rbx, -16
        PUSH_SCRATCH
        PUSH_FOR_C
        subq    $VECTORS_BYTES, %rsp
        STORE_VECTORS
        movq    %rbx, %rdi
        movq    %rbp, %rsi
        leaq    (FOR_C_BYTES + ENTRY_BYTES)(%rbp), %rdx
        movq    %rsp, %rcx
        call    enter_counted
        POP_FROM_C
        POP_SCRATCH
        jmp     *HOOK_BYPASS(%rbx)
        .cfi_endproc
        .size   hot_count_slow, . - hot_count_slow

        .section .note.GNU-stack, "", @progbits
