/* The interposed longjmp and its kin. */

        .hidden jumped_to
        .text

/* longjmp and friends: tell the lane what is jumped over, then the real one, with the arguments as they came. The target's rsp is in
 * the buffer as glibc's setjmp mangles it (rotated left by 17 after an exclusive or with the pointer guard at fs:0x30). */
#define JMP_BUF_RSP            48
#define JMP_BUF_MASK_WAS_SAVED 64

/* The jump's own arguments; the stack is aligned for C then. */
#define ARGUMENTS_BYTES 24

.macro PUSH_ARGUMENTS
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
.endm

.macro POP_ARGUMENTS
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
.endm

.macro JUMP name, real
        .globl  \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr64
        PUSH_ARGUMENTS
        movl    JMP_BUF_MASK_WAS_SAVED(%rdi), %edx
        movq    JMP_BUF_RSP(%rdi), %rdi
        rorq    $17, %rdi
        xorq    %fs:0x30, %rdi
        leaq    (ARGUMENTS_BYTES + 8)(%rsp), %rsi
        call    jumped_to
        POP_ARGUMENTS
        jmp     *\real(%rip)
        .cfi_endproc
        .size   \name, . - \name
.endm

        .hidden interpose_longjmp, interpose_longjmp_chk, interpose_resolve

/* What interpose_longjmp and its like point to until they are resolved: a jump in a constructor that runs before ours. */
.macro RESOLVE name, real
        .globl  \name
        .hidden \name
        .type   \name, @function
\name:
        .cfi_startproc
        PUSH_ARGUMENTS
        call    interpose_resolve
        POP_ARGUMENTS
        jmp     *\real(%rip)
        .cfi_endproc
        .size   \name, . - \name
.endm

        RESOLVE interpose_first_longjmp, interpose_longjmp
        RESOLVE interpose_first_longjmp_chk, interpose_longjmp_chk
        JUMP    longjmp, interpose_longjmp
        JUMP    _longjmp, interpose_longjmp
        JUMP    siglongjmp, interpose_longjmp
        JUMP    __longjmp_chk, interpose_longjmp_chk

        .section .note.GNU-stack, "", @progbits
