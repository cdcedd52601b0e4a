/* The trampoline: from a patched function through its original and back.
 *
 *   caller: call f          f: jmp stub_f              stub_f: push %rbx; movabs $hook, %rbx; jmp *trampoline
 *
 *   stack on entry            at the original's entry      at its return
 *   rsp -> caller's rbx       rsp -> trampoline_exit       (gone)
 *          return address                                  (slot: return address goes back here)
 *          arguments ...             arguments ...         rsp -> arguments ...
 *
 * The return address goes from its slot into a record; rbx, which the original preserves, holds the record meanwhile. The original is
 * *called* from the very same slot, so its arguments, however many, lie where it expects them, call and ret stay paired for the
 * processor, and the frame is gone but for eight bytes. The unwinding tables say so: at the call CFA is rsp+0, the return address is
 * at [rbx+RECORD_RETURN] and the caller's rbx at [rbx+RECORD_RBX].
 *
 * Nothing is changed here but flags: callers may rely on more than the ABI promises (see hot.h). No vector, x87 or MXCSR state is touched.
 *
 * Two trampolines are made from one macro: reading the time-stamp counter, or calling a clock where that counter is no clock. */

#include "preload/records/hot.h"

#define ENTRY_SAVED  (RECORD_SLOT_ABOVE_SP + 8) /* rdx rcx rax, caller's rbx, return address */

/* DW_CFA_expression, for a register saved at [rbx+offset]: its number, length 2, DW_OP_breg3 offset. */
#define CFI_RETURN_IN_RECORD .cfi_escape 0x10, 16, 2, 0x73, RECORD_RETURN
#define CFI_RBX_IN_RECORD    .cfi_escape 0x10, 3, 2, 0x73, RECORD_RBX

        .hidden ticks_now, hot_personality, enter_slow, enter_check, leave_slow
        .hidden extra_entry, extra_finish, sampling_decide, leave_landed, enter_counted

/* Trampolines lie on pages of their own: bind.c writes the displacements of LOAD_THREAD there. */
        .section .text.hot, "ax", @progbits
        .p2align 12
        .globl  hot_pages
        .hidden hot_pages
hot_pages:

/* A word of struct hot_thread. Where that lies behind the thread pointer is known when the program starts, and the same in all
 * threads; bind.c writes it here, since a load from the GOT before each of these would lengthen the chain of loads that rdtsc waits
 * for. */
.macro LOAD_THREAD field, register
        movq    %fs:\field, \register
        .pushsection hot_thread_sites, "a", @progbits
        .long   772f - 4 - .
        .popsection
772:
.endm

/* Ticks in rax; rdx is lost. */
.macro READ_CLOCK_tsc
        rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
.endm

.macro READ_CLOCK_clock
        call    hot_read_clock
.endm

/* The clocks of a trampoline's two ends. Where there is more to do first (hot_extra), that reads the clock when it is done. */
#define NO_CLOCK 0
#define TSC      1
#define CLOCK    2

.macro READ_CLOCK which
        .if \which == TSC
        READ_CLOCK_tsc
        .elseif \which == CLOCK
        READ_CLOCK_clock
        .endif
.endm

/* What the trampolines work with. */
.macro PUSH_SCRATCH
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
.endm

.macro POP_SCRATCH
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        popq    %rax
        .cfi_adjust_cfa_offset -8
.endm

/* The record in rdx is no seat; rax and rcx are lost. */
.macro GIVE_BACK_TO_POOL
        movq    %rdx, %rcx
        shrl    $6, %ecx
        xorl    %eax, %eax
        btsq    %rcx, %rax                      /* takes the bit number modulo 64 */
        andq    $-CHUNK_BYTES, %rdx
        orq     %rax, CHUNK_FREE(%rdx)
.endm

/* rax, rcx and rdx are pushed already; these are the other caller-saved ones. C wants the stack aligned: rbp keeps it. */
.macro PUSH_FOR_C
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %r8
        .cfi_adjust_cfa_offset 8
        pushq   %r9
        .cfi_adjust_cfa_offset 8
        pushq   %r10
        .cfi_adjust_cfa_offset 8
        pushq   %r11
        .cfi_adjust_cfa_offset 8
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        andq    $-16, %rsp
.endm

.macro POP_FROM_C
        movq    %rbp, %rsp
        .cfi_def_cfa_register rsp
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        popq    %r11
        .cfi_adjust_cfa_offset -8
        popq    %r10
        .cfi_adjust_cfa_offset -8
        popq    %r9
        .cfi_adjust_cfa_offset -8
        popq    %r8
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
.endm

#define PUSHED_FOR_C 56 /* bytes between rbp, as PUSH_FOR_C sets it, and what was pushed before */

/* The end of an entry: rax is the record, rcx the lane, rdx the record around it, rbx the hook. */
.macro CALL_ORIGINAL at_entry, no_block, linking
        movq    %rdx, RECORD_OUTER(%rax)
        movq    %rsp, RECORD_SP(%rax)
        movq    (ENTRY_SAVED - 8)(%rsp), %rdx
        movq    %rdx, RECORD_RETURN(%rax)
        movq    (ENTRY_SAVED - 16)(%rsp), %rdx
        movq    %rdx, RECORD_RBX(%rax)
        movq    %rbx, RECORD_HOOK(%rax)
        movq    HOOK_ORIGINAL(%rbx), %rdx
        movq    %rdx, RECORD_TARGET(%rax)
        LOAD_THREAD THREAD_BLOCK_REF, %rdx
        movq    (%rdx), %rdx                    /* rdx: block */
        testq   %rdx, %rdx
        jz      \no_block                           /* forked: the page that held it was wiped */
        addq    HOOK_CELL(%rbx), %rdx
        incq    CELL_STARTED_OFFSET(%rdx)       /* these two stay together: a handler may jump out in between */
        .globl  \linking
        .hidden \linking
\linking:
        movq    %rax, LANE_CURRENT(%rcx)
        movq    %rax, %rbx                      /* rbx: record */
        .if \at_entry == NO_CLOCK
        xorl    %eax, %eax
        .else
        READ_CLOCK \at_entry
        .endif
        movq    %rax, RECORD_START(%rbx)
        POP_SCRATCH
        leaq    16(%rsp), %rsp                  /* drops the caller's rbx and the return address */
        .cfi_def_cfa_offset 0
        CFI_RETURN_IN_RECORD
        CFI_RBX_IN_RECORD
        call    *RECORD_TARGET(%rbx)
.endm

.macro TRAMPOLINE kind, at_entry, at_exit
        .globl  hot_entry_\kind, hot_exit_\kind, hot_exit_tail_\kind
        .hidden hot_entry_\kind, hot_exit_\kind, hot_exit_tail_\kind
        .type   hot_entry_\kind, @function
        .p2align 6
hot_entry_\kind:
        .cfi_startproc
        .cfi_personality 0x9b, hot_personality_pointer
        .cfi_def_cfa_offset 16
        .cfi_offset rbx, -16
        PUSH_SCRATCH
1:      LOAD_THREAD THREAD_SEATS, %rax
        addq    HOOK_SEAT(%rbx), %rax           /* rax: record */
        btrl    $RECORD_PLACE_BIT, RECORD_PLACE_WORD(%rax)
        jnc     19f                             /* taken */
2:      LOAD_THREAD THREAD_LANE, %rcx           /* rcx: lane */
        movq    LANE_CURRENT(%rcx), %rdx
        cmpq    %rsp, RECORD_SP(%rdx)
        jbe     12f                             /* above the innermost call: that one may be dead */
23:     CALL_ORIGINAL \at_entry, 11f, hot_linking_\kind
hot_exit_\kind:
        leaq    -8(%rsp), %rsp                  /* the slot again */
        .cfi_adjust_cfa_offset 8
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        READ_CLOCK \at_exit
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        LOAD_THREAD THREAD_LANE, %rcx           /* rcx: lane */
        cmpq    LANE_CURRENT(%rcx), %rbx
        jne     20f                             /* a coroutine, a clobbered rbx, or calls that never returned */
        LOAD_THREAD THREAD_BLOCK_REF, %rcx
        movq    (%rcx), %rcx
        testq   %rcx, %rcx
        jz      20f                             /* forked meanwhile */
        movq    RECORD_RETURN(%rbx), %rdx
        movq    %rdx, 24(%rsp)                  /* back into its slot */
        .cfi_remember_state
        .cfi_offset rip, -8
        movq    RECORD_HOOK(%rbx), %rdx         /* rdx: hook */
        addq    HOOK_CELL(%rdx), %rcx           /* rcx: cell */
        .if \at_exit != NO_CLOCK
        subq    RECORD_START(%rbx), %rax
        jb      13f                             /* the counters of two processors differ by a little */
4:      movq    %rax, RECORD_START(%rbx)
        addq    %rax, CELL_SUM_OFFSET(%rcx)
        cmpq    HOOK_BOUNDS(%rdx), %rax
        ja      14f                             /* not in the first bucket: the time to look for another one is there */
        incq    CELL_BUCKETS_OFFSET(%rcx)
        .endif
5:      movq    HOOK_SCALE(%rdx), %rax
        imulq   16(%rsp), %rax                  /* the result, what counts of it moved to the top */
        subq    HOOK_LOW(%rdx), %rax
        cmpq    HOOK_SPAN(%rdx), %rax
        ja      18f                             /* no success, or more has to be asked */
7:      LOAD_THREAD THREAD_LANE, %rax
        movq    RECORD_OUTER(%rbx), %rdx
        incq    CELL_SUCCESS_OFFSET(%rcx)       /* these two stay together as well */
        .globl  hot_unlinking_\kind
        .hidden hot_unlinking_\kind
hot_unlinking_\kind:
        movq    %rdx, LANE_CURRENT(%rax)
        movq    %rbx, %rdx                      /* rdx: record */
        movq    RECORD_RBX(%rbx), %rbx
        .cfi_same_value rbx
        testb   $RECORD_PLACE_POOL, RECORD_PLACE(%rdx)
        jnz     21f
        movl    $(1 << RECORD_PLACE_BIT), RECORD_PLACE_WORD(%rdx)
6:      popq    %rcx
        .cfi_adjust_cfa_offset -8
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rax
        .cfi_adjust_cfa_offset -8
        ret

        .cfi_adjust_cfa_offset 24
21:     GIVE_BACK_TO_POOL
        jmp     6b

        .cfi_restore_state
        .cfi_remember_state
        .cfi_offset rip, -8
        .if \at_exit != NO_CLOCK
14:     pushq   %rsi
        .cfi_adjust_cfa_offset 8
        bsrq    %rax, %rsi                      /* above a bound, so not 0 */
        movzbl  HOOK_FIRST(%rdx,%rsi), %esi
9:      cmpq    HOOK_BOUNDS(%rdx,%rsi,8), %rax
        jbe     8f
        incl    %esi                            /* the next one; rarely more than one further */
        jmp     9b
8:      incq    CELL_BUCKETS_OFFSET(%rcx,%rsi,8)
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        jmp     5b
13:     xorl    %eax, %eax
        jmp     4b
        .endif

/* Out of range: an error, unless the range does not tell. Either is counted at 7, as the word next to CELL_SUCCESS. */
18:     testl   $HOOK_FLAG_JUDGE, HOOK_FLAGS(%rdx)
        jnz     15f
        addq    $(CELL_ERROR_OFFSET - CELL_SUCCESS_OFFSET), %rcx
        jmp     7b

/* The outcome needs more than one range: errno, several conditions, a floating-point result. Or there is more to do. */
15:     PUSH_FOR_C
        pushq   %rcx
        pushq   %rcx
        movq    %rbx, %rdi
        movq    (PUSHED_FOR_C + 16)(%rbp), %rsi
        movq    %xmm0, %rdx
        call    extra_finish
        movl    %eax, %eax
        popq    %rcx
        popq    %rcx
        POP_FROM_C
        leaq    -CELL_SUCCESS_OFFSET(%rcx,%rax), %rcx
        jmp     7b

20:     .cfi_restore_state
        PUSH_FOR_C
        subq    $32, %rsp
        movq    %rbx, %rdi
        leaq    (PUSHED_FOR_C + 24)(%rbp), %rsi /* slot */
        movq    (PUSHED_FOR_C + 16)(%rbp), %rdx /* result */
        movq    %xmm0, %rcx
        movq    %rax, %r8                       /* now */
        movq    %rsp, %r9
        call    leave_slow
        movq    8(%rsp), %rax
        movq    %rax, (PUSHED_FOR_C + 24)(%rbp)
        .cfi_offset rip, -8
        movq    (%rsp), %rbx
        .cfi_same_value rbx
        POP_FROM_C
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rax
        .cfi_adjust_cfa_offset -8
        ret

/* Entry, slow. */
        .cfi_def_cfa rsp, ENTRY_SAVED
        .cfi_offset rbx, -16
        .cfi_offset rip, -8
11:     movq    %rax, %rdx                      /* give the record back: there is no block to count it in */
        testb   $RECORD_PLACE_POOL, RECORD_PLACE(%rdx)
        jnz     9f
        movl    $(1 << RECORD_PLACE_BIT), RECORD_PLACE_WORD(%rdx)
        jmp     10f
9:      GIVE_BACK_TO_POOL
        jmp     10f

19:     LOAD_THREAD THREAD_LANE, %rcx
        movq    LANE_CHUNK(%rcx), %rdx
        movq    CHUNK_FREE(%rdx), %rax
3:      testq   %rax, %rax
        jz      10f                             /* no record, or no lane yet */
        leaq    -1(%rax), %rcx
        andq    %rax, %rcx                      /* the mask without its lowest bit */
        cmpxchgq %rcx, CHUNK_FREE(%rdx)
        jne     3b                              /* a signal handler was faster: rax is the new mask */
        rep bsfq %rax, %rax                     /* tzcnt, where there is one: the same for what is not 0 */
        shlq    $6, %rax
        addq    %rdx, %rax                      /* rax: record */
        jmp     2b

10:     PUSH_FOR_C
        movq    %rbx, %rdi
        call    enter_slow
        POP_FROM_C
        testl   %eax, %eax
        jz      1b                              /* ENTER_RETRY */
        POP_SCRATCH
        jmp     *HOOK_BYPASS(%rbx)

        .cfi_def_cfa_offset ENTRY_SAVED
12:     jne     16f
        leaq    hot_exit_\kind(%rip), %rdx      /* same slot: a tracked function's tail call, if it will return to here */
        cmpq    %rdx, (ENTRY_SAVED - 8)(%rsp)
        movq    LANE_CURRENT(%rcx), %rdx
        je      17f
        leaq    hot_exit_tail_\kind(%rip), %rdx
        cmpq    %rdx, (ENTRY_SAVED - 8)(%rsp)
        movq    LANE_CURRENT(%rcx), %rdx
        je      23b
16:     PUSH_FOR_C
        pushq   %rax
        pushq   %rcx
        movq    %rcx, %rdi
        leaq    (PUSHED_FOR_C + ENTRY_SAVED - 8)(%rbp), %rsi
        call    enter_check
        popq    %rcx
        popq    %rax
        POP_FROM_C
        movq    LANE_CURRENT(%rcx), %rdx
        jmp     23b

/* Tail calls in a row take turns between two places of call: an unwinder that finds the same CFA and the same address in two frames running
 * takes that for a loop (libunwind). */
17:     CALL_ORIGINAL \at_entry, 11b, hot_linking_tail_\kind
hot_exit_tail_\kind:
        jmp     hot_exit_\kind
        .cfi_endproc
        .size   hot_entry_\kind, . - hot_entry_\kind
.endm

        TRAMPOLINE tsc, TSC, TSC
        TRAMPOLINE clock, CLOCK, CLOCK
        TRAMPOLINE late_tsc, NO_CLOCK, TSC
        TRAMPOLINE late_clock, NO_CLOCK, CLOCK
        TRAMPOLINE untimed, NO_CLOCK, NO_CLOCK

/* A call of a sampled function whose stub counted down to nothing. As at an entry: rbx is the weighed hook. */
.macro SAMPLE kind
        .globl  hot_sample_\kind
        .hidden hot_sample_\kind
        .type   hot_sample_\kind, @function
        .p2align 4
hot_sample_\kind:
        .cfi_startproc
        .cfi_def_cfa_offset 16
        .cfi_offset rbx, -16
        PUSH_SCRATCH
        PUSH_FOR_C
        movq    %rbx, %rdi
        call    sampling_decide
        movq    %rax, %rbx                      /* the hook to go on with */
        cmpl    $SAMPLE_TIMED, %edx             /* no instruction down to the jumps changes the flags */
        POP_FROM_C
        POP_SCRATCH
        je      hot_entry_\kind
        ja      hot_entry_untimed
        jmp     *HOOK_BYPASS(%rbx)
        .cfi_endproc
        .size   hot_sample_\kind, . - hot_sample_\kind
.endm

        SAMPLE  tsc
        SAMPLE  clock
        SAMPLE  late_tsc
        SAMPLE  late_clock

/* xmm0 to xmm7, for C to read, 16 bytes each from rsp on. */
#define VECTORS_BYTES 128

.macro STORE_VECTORS
        movups  %xmm0, (%rsp)
        movups  %xmm1, 16(%rsp)
        movups  %xmm2, 32(%rsp)
        movups  %xmm3, 48(%rsp)
        movups  %xmm4, 64(%rsp)
        movups  %xmm5, 80(%rsp)
        movups  %xmm6, 96(%rsp)
        movups  %xmm7, 112(%rsp)
.endm

/* In place of the original, for functions with more than times and outcomes: called by the trampoline, rbx is the record. */
.macro EXTRA kind, which
        .globl  hot_extra_\kind
        .hidden hot_extra_\kind
        .type   hot_extra_\kind, @function
        .p2align 4
hot_extra_\kind:
        .cfi_startproc
        PUSH_SCRATCH
        PUSH_FOR_C
        movq    RECORD_HOOK(%rbx), %rax
        subq    $VECTORS_BYTES, %rsp
        testl   $HOOK_FLAG_VECTORS, HOOK_FLAGS(%rax)
        jz      1f
        STORE_VECTORS
1:      movq    %rbx, %rdi
        movq    %rbp, %rsi
        leaq    (PUSHED_FOR_C + 32)(%rbp), %rdx
        movq    %rsp, %rcx
        call    extra_entry
        POP_FROM_C
        .if \which != NO_CLOCK
        READ_CLOCK \which
        movq    %rax, RECORD_START(%rbx)
        .endif
        POP_SCRATCH
        jmp     *RECORD_TARGET(%rbx)
        .cfi_endproc
        .size   hot_extra_\kind, . - hot_extra_\kind
.endm

        EXTRA   tsc, TSC
        EXTRA   clock, CLOCK
        EXTRA   untimed, NO_CLOCK

        .p2align 12
        .globl  hot_pages_end
        .hidden hot_pages_end
hot_pages_end:
        .text

/* Nanoseconds in rax by ticks_now (clock_gettime of the vDSO, or a system call); rdx is lost as with rdtsc. */
        .type   hot_read_clock, @function
hot_read_clock:
        .cfi_startproc
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        PUSH_FOR_C
        call    *ticks_now(%rip)
        POP_FROM_C
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
        .size   hot_read_clock, . - hot_read_clock

/* A counted function's call on a lane that has no block, or of a function with labels. From the stub: rbx is the hook, [rsp] the caller's rbx. */
        .globl  hot_count_slow
        .hidden hot_count_slow
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
        leaq    (PUSHED_FOR_C + 40)(%rbp), %rdx
        movq    %rsp, %rcx
        call    enter_counted
        POP_FROM_C
        POP_SCRATCH
        jmp     *HOOK_BYPASS(%rbx)
        .cfi_endproc
        .size   hot_count_slow, . - hot_count_slow

/* Where an unwinder lands when it takes the trampoline's frame off: rax is the exception, rdx says whether the unwinding is forced, rbx
 * is the record, rsp as at the call. Leaves as if the caller itself had called _Unwind_Resume. */
        .globl  hot_landing
        .hidden hot_landing
        .type   hot_landing, @function
        .p2align 4
hot_landing:
        .cfi_startproc
        .cfi_def_cfa_offset 0
        CFI_RETURN_IN_RECORD
        CFI_RBX_IN_RECORD
        leaq    -8(%rsp), %rsp                  /* the slot again: 8 modulo 16, as a rule */
        .cfi_adjust_cfa_offset 8
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        subq    $32, %rsp
        .cfi_adjust_cfa_offset 32
        movq    %rbx, %rdi
        leaq    40(%rsp), %rsi
        movq    %rsp, %rcx
        call    leave_landed
        movq    8(%rsp), %rax
        movq    %rax, 40(%rsp)
        .cfi_offset rip, -8
        movq    (%rsp), %rbx
        .cfi_same_value rbx
        movq    16(%rsp), %rax
        movq    32(%rsp), %rdi
        leaq    40(%rsp), %rsp
        .cfi_adjust_cfa_offset -40
        testb   $8, %spl
        jz      1f
        jmp     *%rax
        /* A compiler need not align the stack for a function of the same file that calls nobody. Such a one is only left so from a signal's
         * handler. The unwinder wants it aligned, and gets a frame between. */
1:      pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        andq    $-16, %rsp
        call    *%rax
        ud2
        .cfi_endproc
        .size   hot_landing, . - hot_landing

        .section .data.rel.ro, "aw"
        .p2align 3
hot_personality_pointer:
        .quad   hot_personality

        .section .note.GNU-stack, "", @progbits
