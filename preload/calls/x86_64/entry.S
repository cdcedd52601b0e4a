/* The trampoline: from a patched function through its original and back.
 *
 *   caller: call f          f: jmp stub_f              stub_f: push %rbx; movabs $hook, %rbx; jmp *trampoline
 *
 *   stack on entry            at the original's entry      at its return
 *   rsp -> caller's rbx       rsp -> trampoline_exit       (gone)
 *          return address                                  (slot: return address goes back here)
 *          arguments ...             arguments ...         rsp -> arguments ...
 *
 * The return address goes from its slot into a record; rbx, which the original preserves, holds the record meanwhile.
 * The original is *called* from the very same slot, so its arguments, however many, lie where it expects them, call and
 * ret stay paired for the processor, and the frame is gone but for eight bytes. The unwinding tables say so: at the
 * call CFA is rsp+0, the return address is at [rbx+RECORD_RETURN] and the caller's rbx at [rbx+RECORD_RBX].
 *
 * Nothing is changed here but flags: callers may rely on more than the ABI promises (see hot.h). No vector, x87 or
 * MXCSR state is touched.
 *
 * All trampolines are made from one macro, TRAMPOLINE, whose pieces stand in front of it in the order of their code.
 * They differ in how the clock is read at both ends: from the time-stamp counter, by calling a clock where that counter
 * is no clock, or not at all. Labels say their piece first (.Lentry_..., .Lexit_...), and the trampoline's kind last.
 */

#include "preload/calls/x86_64/frame.inc"

        .hidden ticks_now, hot_personality, enter_slow, enter_check, leave_slow
        .hidden extra_entry, extra_finish, sampling_decide

/* Trampolines lie on pages of their own: bind.c writes the displacements of LOAD_THREAD there. */
        .section .text.hot, "ax", @progbits
        .p2align 12
        .globl  hot_pages
        .hidden hot_pages
hot_pages:

/* A word of struct hot_thread. Where that lies behind the thread pointer is known when the program starts, and the same
 * in all threads; bind.c writes it here, since a load from the GOT before each of these would lengthen the chain of
 * loads that rdtsc waits for. */
.macro LOAD_THREAD field, register
        movq    %fs:\field, \register
        .pushsection hot_thread_sites, "a", @progbits
        .long   .Lthread_site_\@ - 4 - .
        .popsection
.Lthread_site_\@:
.endm

/* Clocks of a trampoline's two ends. NO_CLOCK at the entry also stands for a clock that is read later: by hot_extra,
 * when it is done. */
#define NO_CLOCK 0
#define TSC      1
#define CLOCK    2

/* Ticks in rax; rdx is lost. */
.macro READ_CLOCK which
        .if \which == TSC
        rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        .elseif \which == CLOCK
        call    hot_read_clock
        .endif
.endm

/* The record in rdx is no seat; rax and rcx are lost. */
.macro GIVE_BACK_TO_POOL
        movq    %rdx, %rcx
        shrl    $6, %ecx                        /* by RECORD_BYTES */
        xorl    %eax, %eax
        btsq    %rcx, %rax                      /* takes the bit number modulo 64 */
        andq    $-CHUNK_BYTES, %rdx
        orq     %rax, CHUNK_FREE(%rdx)
.endm

/* ---- Entry ---- */

/* The end of an entry: rax is the record, rcx the lane, rdx the record around it, rbx the hook. */
.macro CALL_ORIGINAL at_entry, no_block, linking
        movq    %rdx, RECORD_OUTER(%rax)
        movq    %rsp, RECORD_SP(%rax)
        movq    ENTRY_RETURN(%rsp), %rdx
        movq    %rdx, RECORD_RETURN(%rax)
        movq    ENTRY_RBX(%rsp), %rdx
        movq    %rdx, RECORD_RBX(%rax)
        movq    %rbx, RECORD_HOOK(%rax)
        movq    HOOK_ORIGINAL(%rbx), %rdx
        movq    %rdx, RECORD_TARGET(%rax)
        LOAD_THREAD THREAD_BLOCK_REF, %rdx
        movq    (%rdx), %rdx                    /* rdx: block */
        testq   %rdx, %rdx
        jz      \no_block                       /* forked: the page that held it was wiped */
        addq    HOOK_CELL(%rbx), %rdx
        incq    CELL_STARTED_OFFSET(%rdx)       /* these two stay together: a handler may jump out in between */
        HIDDEN  \linking
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

/* From the stub to the original: the function's seat is taken, and the record linked in. */
.macro ENTRY kind, at_entry
        .cfi_def_cfa_offset 16
        .cfi_offset rbx, -16
        PUSH_SCRATCH
.Lentry_seat_\kind:
        LOAD_THREAD THREAD_SEATS, %rax
        addq    HOOK_SEAT(%rbx), %rax           /* rax: record */
        btrl    $RECORD_PLACE_BIT, RECORD_PLACE_WORD(%rax)
        jnc     .Lentry_pool_\kind              /* taken */
.Lentry_recorded_\kind:
        LOAD_THREAD THREAD_LANE, %rcx           /* rcx: lane */
        movq    LANE_CURRENT(%rcx), %rdx
        cmpq    %rsp, RECORD_SP(%rdx)
        jbe     .Lentry_above_\kind             /* above the innermost call: that one may be dead */
.Lentry_call_\kind:
        CALL_ORIGINAL \at_entry, .Lentry_blockless_\kind, hot_linking_\kind
.endm

/* Out of line: the record in rax is given back, for there is no block to count it in. */
.macro ENTRY_BLOCKLESS kind
        .cfi_def_cfa rsp, ENTRY_BYTES
        .cfi_offset rbx, -16
        .cfi_offset rip, -8
.Lentry_blockless_\kind:
        movq    %rax, %rdx
        testb   $RECORD_PLACE_POOL, RECORD_PLACE(%rdx)
        jnz     .Lentry_blockless_pool_\kind
        movl    $(1 << RECORD_PLACE_BIT), RECORD_PLACE_WORD(%rdx)
        jmp     .Lentry_slow_\kind
.Lentry_blockless_pool_\kind:
        GIVE_BACK_TO_POOL
        jmp     .Lentry_slow_\kind
.endm

/* Out of line: the seat is taken, so the record comes from the lane's chunk. */
.macro ENTRY_POOL kind
.Lentry_pool_\kind:
        LOAD_THREAD THREAD_LANE, %rcx
        movq    LANE_CHUNK(%rcx), %rdx
        movq    CHUNK_FREE(%rdx), %rax
.Lentry_pool_mask_\kind:
        testq   %rax, %rax
        jz      .Lentry_slow_\kind              /* no record, or no lane yet */
        leaq    -1(%rax), %rcx
        andq    %rax, %rcx                      /* the mask without its lowest bit */
        cmpxchgq %rcx, CHUNK_FREE(%rdx)
        jne     .Lentry_pool_mask_\kind         /* a signal handler was faster: rax is the new mask */
        rep bsfq %rax, %rax                     /* tzcnt, where there is one: the same for what is not 0 */
        shlq    $6, %rax                        /* RECORD_BYTES */
        addq    %rdx, %rax                      /* rax: record */
        jmp     .Lentry_recorded_\kind
.endm

/* Out of line: there is no lane, no block or no free record. */
.macro ENTRY_SLOW kind
.Lentry_slow_\kind:
        PUSH_FOR_C
        movq    %rbx, %rdi
        call    enter_slow
        POP_FROM_C
        testl   %eax, %eax
        jz      .Lentry_seat_\kind              /* ENTER_RETRY */
        POP_SCRATCH
        jmp     *HOOK_BYPASS(%rbx)
.endm

/* Out of line: the call is not below the innermost one, the record in rdx. The flags are of cmp rsp, [its RECORD_SP].
 */
.macro ENTRY_ABOVE kind
        .cfi_def_cfa_offset ENTRY_BYTES
.Lentry_above_\kind:
        jne     .Lentry_check_\kind
        leaq    hot_exit_\kind(%rip), %rdx      /* same slot: a tracked function's tail call, if it returns to here */
        cmpq    %rdx, ENTRY_RETURN(%rsp)
        movq    LANE_CURRENT(%rcx), %rdx
        je      .Lentry_tail_\kind
        leaq    hot_exit_tail_\kind(%rip), %rdx
        cmpq    %rdx, ENTRY_RETURN(%rsp)
        movq    LANE_CURRENT(%rcx), %rdx
        je      .Lentry_call_\kind
.Lentry_check_\kind:
        PUSH_FOR_C
        pushq   %rax
        pushq   %rcx
        movq    %rcx, %rdi
        leaq    (FOR_C_BYTES + ENTRY_RETURN)(%rbp), %rsi
        call    enter_check
        popq    %rcx
        popq    %rax
        POP_FROM_C
        movq    LANE_CURRENT(%rcx), %rdx
        jmp     .Lentry_call_\kind
.endm

/* Tail calls in a row take turns between two places of call: an unwinder that finds the same CFA and the same address
 * in two frames running takes that for a loop (libunwind). */
.macro ENTRY_TAIL kind, at_entry
.Lentry_tail_\kind:
        CALL_ORIGINAL \at_entry, .Lentry_blockless_\kind, hot_linking_tail_\kind
hot_exit_tail_\kind:
        jmp     hot_exit_\kind
.endm

/* ---- Exit ---- */

.macro EXIT_RET
        POP     rcx
        POP     rdx
        POP     rax
        ret
.endm

/* From the original to the caller: the call is counted, the record unlinked and its seat given back. */
.macro EXIT kind, at_exit
hot_exit_\kind:
        leaq    -8(%rsp), %rsp                  /* the slot again */
        .cfi_adjust_cfa_offset 8
        PUSH    rax
        PUSH    rdx
        READ_CLOCK \at_exit
        PUSH    rcx
        LOAD_THREAD THREAD_LANE, %rcx           /* rcx: lane */
        cmpq    LANE_CURRENT(%rcx), %rbx
        jne     .Lexit_slow_\kind               /* a coroutine, a clobbered rbx, or calls that never returned */
        LOAD_THREAD THREAD_BLOCK_REF, %rcx
        movq    (%rcx), %rcx
        testq   %rcx, %rcx
        jz      .Lexit_slow_\kind               /* forked meanwhile */
        movq    RECORD_RETURN(%rbx), %rdx
        movq    %rdx, EXIT_RETURN(%rsp)         /* back into its slot */
        .cfi_remember_state
        .cfi_offset rip, -8
        movq    RECORD_HOOK(%rbx), %rdx         /* rdx: hook */
        addq    HOOK_CELL(%rdx), %rcx           /* rcx: cell */
        .if \at_exit != NO_CLOCK
        subq    RECORD_START(%rbx), %rax
        jb      .Lexit_backwards_\kind          /* the counters of two processors differ by a little */
.Lexit_lasted_\kind:
        movq    %rax, RECORD_START(%rbx)
        addq    %rax, CELL_SUM_OFFSET(%rcx)
        HIDDEN  hot_lasting_\kind
hot_lasting_\kind:
        cmpq    HOOK_BOUNDS(%rdx), %rax
        ja      .Lexit_bucket_\kind             /* not in the first one: the time to look for another one is there */
        incq    CELL_BUCKETS_OFFSET(%rcx)
        .else
        HIDDEN  hot_lasting_\kind
hot_lasting_\kind:
        .endif
        HIDDEN  hot_lasted_\kind
hot_lasted_\kind:
.Lexit_judge_\kind:
        movq    HOOK_SCALE(%rdx), %rax
        imulq   EXIT_RESULT(%rsp), %rax         /* the result, what counts of it moved to the top */
        subq    HOOK_LOW(%rdx), %rax
        cmpq    HOOK_SPAN(%rdx), %rax
        ja      .Lexit_no_success_\kind         /* or more has to be asked */
.Lexit_count_\kind:
        LOAD_THREAD THREAD_LANE, %rax
        movq    RECORD_OUTER(%rbx), %rdx
        incq    CELL_SUCCESS_OFFSET(%rcx)       /* these two stay together as well */
        HIDDEN  hot_unlinking_\kind
hot_unlinking_\kind:
        movq    %rdx, LANE_CURRENT(%rax)
.Lexit_unlinked_\kind:
        movq    %rbx, %rdx                      /* rdx: record */
        movq    RECORD_RBX(%rbx), %rbx
        .cfi_same_value rbx
        testb   $RECORD_PLACE_POOL, RECORD_PLACE(%rdx)
        jnz     .Lexit_pool_\kind
        movl    $(1 << RECORD_PLACE_BIT), RECORD_PLACE_WORD(%rdx)
.Lexit_return_\kind:
        EXIT_RET
.endm

/* Out of line: the record in rdx is no seat. */
.macro EXIT_POOL kind
        .cfi_adjust_cfa_offset 24
.Lexit_pool_\kind:
        GIVE_BACK_TO_POOL
        jmp     .Lexit_return_\kind
.endm

/* Out of line: the duration in rax is above the first bucket's bound, or it is less than nothing, which counts as 0. */
.macro EXIT_BUCKET kind
.Lexit_backwards_\kind:
        xorl    %eax, %eax
        jmp     .Lexit_lasted_\kind
        HIDDEN  hot_lasting_far_\kind
hot_lasting_far_\kind:
.Lexit_bucket_\kind:
        PUSH    rsi
        bsrq    %rax, %rsi                      /* above a bound, so not 0 */
        movzbl  HOOK_FIRST(%rdx,%rsi), %esi
.Lexit_bucket_next_\kind:
        cmpq    HOOK_BOUNDS(%rdx,%rsi,8), %rax
        jbe     .Lexit_bucket_found_\kind
        incl    %esi                            /* the next one; rarely more than one further */
        jmp     .Lexit_bucket_next_\kind
.Lexit_bucket_found_\kind:
        incq    CELL_BUCKETS_OFFSET(%rcx,%rsi,8)
        HIDDEN  hot_lasted_far_\kind
hot_lasted_far_\kind:
        POP     rsi
        jmp     .Lexit_judge_\kind
.endm

/* Out of line: out of the range of success. That is an error, unless the range does not tell: the outcome needs errno,
 * several conditions, a floating-point result, or there is more to do. Whatever it is is counted at .Lexit_count, by
 * the distance of its word from that of success. */
.macro EXIT_OUTCOME kind
.Lexit_no_success_\kind:
        testl   $HOOK_FLAG_JUDGE, HOOK_FLAGS(%rdx)
        jnz     .Lexit_ask_\kind
        addq    $(CELL_ERROR_OFFSET - CELL_SUCCESS_OFFSET), %rcx
        jmp     .Lexit_count_\kind
.Lexit_ask_\kind:
        movq    $RECORD_ENDING, RECORD_TARGET(%rbx)
        HIDDEN  hot_asking_\kind
hot_asking_\kind:
        PUSH_FOR_C
        pushq   %rcx
        pushq   %rcx                            /* keeps the stack aligned */
        movq    %rbx, %rdi
        movq    (FOR_C_BYTES + EXIT_RESULT)(%rbp), %rsi
        movq    %xmm0, %rdx
        call    extra_finish
        movl    %eax, %eax
        popq    %rcx
        popq    %rcx
        POP_FROM_C
        testl   %eax, %eax
        jz      .Lexit_unlinked_\kind
        leaq    -CELL_SUCCESS_OFFSET(%rcx,%rax), %rcx
        jmp     .Lexit_count_\kind
.endm

/* Out of line: rbx is not the innermost record, or there is no block. rax is the time. */
.macro EXIT_SLOW kind
.Lexit_slow_\kind:
        .cfi_restore_state
        PUSH_FOR_C
        subq    $LEAVE_BYTES, %rsp
        movq    %rbx, %rdi
        leaq    (FOR_C_BYTES + EXIT_RETURN)(%rbp), %rsi
        movq    (FOR_C_BYTES + EXIT_RESULT)(%rbp), %rdx
        movq    %xmm0, %rcx
        movq    %rax, %r8
        movq    %rsp, %r9
        call    leave_slow
        movq    LEAVE_RETURN(%rsp), %rax
        movq    %rax, (FOR_C_BYTES + EXIT_RETURN)(%rbp)
        .cfi_offset rip, -8
        movq    LEAVE_RBX(%rsp), %rbx
        .cfi_same_value rbx
        POP_FROM_C
        EXIT_RET
.endm

/* ---- All of it ---- */

.macro TRAMPOLINE kind, at_entry, at_exit
        .globl  hot_entry_\kind, hot_exit_\kind, hot_exit_tail_\kind
        .hidden hot_entry_\kind, hot_exit_\kind, hot_exit_tail_\kind
        .type   hot_entry_\kind, @function
        .p2align 6
hot_entry_\kind:
        .cfi_startproc
        .cfi_personality 0x9b, hot_personality_pointer
        ENTRY           \kind, \at_entry
        EXIT            \kind, \at_exit
        EXIT_POOL       \kind
        .cfi_restore_state
        .cfi_remember_state
        .cfi_offset rip, -8
        .if \at_exit != NO_CLOCK
        EXIT_BUCKET     \kind
        .else
        HIDDEN          hot_lasting_far_\kind
        HIDDEN          hot_lasted_far_\kind
hot_lasting_far_\kind:
hot_lasted_far_\kind:
        .endif
        EXIT_OUTCOME    \kind
        EXIT_SLOW       \kind
        ENTRY_BLOCKLESS \kind
        ENTRY_POOL      \kind
        ENTRY_SLOW      \kind
        ENTRY_ABOVE     \kind
        ENTRY_TAIL      \kind, \at_entry
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
        HIDDEN  hot_sample_\kind
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

/* In place of the original, for functions with more than times and outcomes: called by the trampoline, rbx is the
 * record. Arguments on the stack lie above what is pushed here, and the return address into the trampoline. */
.macro EXTRA kind, which
        HIDDEN  hot_extra_\kind
        .type   hot_extra_\kind, @function
        .p2align 4
hot_extra_\kind:
        .cfi_startproc
        PUSH_SCRATCH
        PUSH_FOR_C
        movq    RECORD_HOOK(%rbx), %rax
        subq    $VECTORS_BYTES, %rsp
        testl   $HOOK_FLAG_VECTORS, HOOK_FLAGS(%rax)
        jz      .Lextra_no_vectors_\kind
        STORE_VECTORS
.Lextra_no_vectors_\kind:
        movq    %rbx, %rdi
        movq    %rbp, %rsi
        leaq    (FOR_C_BYTES + SCRATCH_BYTES + 8)(%rbp), %rdx
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
        HIDDEN  hot_pages_end
hot_pages_end:
        .text

/* Nanoseconds in rax by ticks_now (clock_gettime of the vDSO, or a system call); rdx is lost as with rdtsc. */
        .type   hot_read_clock, @function
hot_read_clock:
        .cfi_startproc
        PUSH    rcx
        PUSH_FOR_C
        call    *ticks_now(%rip)
        POP_FROM_C
        POP     rcx
        ret
        .cfi_endproc
        .size   hot_read_clock, . - hot_read_clock

        .section .data.rel.ro, "aw"
        .p2align 3
hot_personality_pointer:
        .quad   hot_personality

        .section .note.GNU-stack, "", @progbits
