/* tally.h: whoever forks in a handler sees by the instruction how far this was. */

#include "preload/records/tally.h"

        .text

        .globl  tally_add_up, tally_adding, tally_added, tally_said
        .hidden tally_add_up, tally_adding, tally_added, tally_said
        .type   tally_add_up, @function
        .p2align 4
tally_add_up:
        .cfi_startproc
        xorl    %eax, %eax
tally_adding:
        testq   %rdx, %rdx
        jz      .Lsay
.Lnext:
        movq    (%rsi,%rax), %r9
        movq    8(%rsi,%rax), %r10
        addq    %r10, (%rdi,%r9)
tally_added:
        addq    $TALLY_ENTRY_BYTES, %rax
        cmpq    %rdx, %rax
        jne     .Lnext
.Lsay:
        movq    (%r8), %r9
        movq    %r9, (%rcx)
tally_said:
        ret
        .cfi_endproc
        .size   tally_add_up, . - tally_add_up

        .globl  tally_start, tally_starting
        .hidden tally_start, tally_starting
        .type   tally_start, @function
        .p2align 4
tally_start:
        .cfi_startproc
        addq    $1, (%rdi)
tally_starting:
        movq    %rdx, (%rsi)
        ret
        .cfi_endproc
        .size   tally_start, . - tally_start

        .globl  tally_claim, tally_claiming
        .hidden tally_claim, tally_claiming
        .type   tally_claim, @function
        .p2align 4
tally_claim:
        .cfi_startproc
        movl    %edx, %eax
        addq    $1, (%rdi)
tally_claiming:
        lock cmpxchgb %cl, (%rsi)
        sete    %al
        ret
        .cfi_endproc
        .size   tally_claim, . - tally_claim

        .section .note.GNU-stack, "", @progbits
