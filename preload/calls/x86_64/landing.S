/* The landing: where an unwinder comes to when it takes the trampoline's frame off, as the personality tells it to
 * (personality.c). rax is the exception, rdx says whether the unwinding is forced, rbx is the record, rsp as at the
 * call. The landing leaves as if the caller itself had called _Unwind_Resume. */

#include "preload/calls/x86_64/frame.inc"

#define LANDED_EXCEPTION LEAVE_BYTES       /* from rsp on, below it what leave_landed answers */
#define LANDED_RETURN    (LEAVE_BYTES + 8) /* the slot */

        .hidden leave_landed
        .text

        HIDDEN  hot_landing
        .type   hot_landing, @function
        .p2align 4
hot_landing:
        .cfi_startproc
        .cfi_def_cfa_offset 0
        CFI_RETURN_IN_RECORD
        CFI_RBX_IN_RECORD
        leaq    -8(%rsp), %rsp                  /* the slot again: 8 modulo 16, as a rule */
        .cfi_adjust_cfa_offset 8
        PUSH    rax
        subq    $LEAVE_BYTES, %rsp
        .cfi_adjust_cfa_offset LEAVE_BYTES
        movq    %rbx, %rdi
        leaq    LANDED_RETURN(%rsp), %rsi
        movq    %rsp, %rcx                      /* rdx: is_forced, as it came */
        call    leave_landed
        movq    LEAVE_RETURN(%rsp), %rax
        movq    %rax, LANDED_RETURN(%rsp)
        .cfi_offset rip, -8
        movq    LEAVE_RBX(%rsp), %rbx
        .cfi_same_value rbx
        movq    LEAVE_RESUME(%rsp), %rax
        movq    LANDED_EXCEPTION(%rsp), %rdi
        leaq    LANDED_RETURN(%rsp), %rsp
        .cfi_adjust_cfa_offset -LANDED_RETURN
        testb   $8, %spl
        jz      .Llanding_unaligned
        jmp     *%rax

        /* A compiler need not align the stack for a function of the same file that calls nobody. Such a one is only
         * left so from a signal's handler. The unwinder wants it aligned, and gets a frame between. */
.Llanding_unaligned:
        PUSH    rbp
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        andq    $-16, %rsp
        call    *%rax
        ud2
        .cfi_endproc
        .size   hot_landing, . - hot_landing

        .section .note.GNU-stack, "", @progbits
