/* The interposed dlopen and dlmopen: C decides, then the real one, with stack and arguments as they came. */

        .hidden loader_dlopen, loader_dlmopen
        .text

/* rdi, rsi, rdx as they came, and a word for the result; the stack is aligned for C then. */
#define FRAME_BYTES 40
#define FRAME_RDI   0
#define FRAME_RSI   8
#define FRAME_RDX   16
#define FRAME_WORD  24

.macro OPEN_FRAME
        subq    $FRAME_BYTES, %rsp
        .cfi_adjust_cfa_offset FRAME_BYTES
        movq    %rdi, FRAME_RDI(%rsp)
        movq    %rsi, FRAME_RSI(%rsp)
        movq    %rdx, FRAME_RDX(%rsp)
.endm

.macro CLOSE_FRAME
        movq    FRAME_RDI(%rsp), %rdi
        movq    FRAME_RSI(%rsp), %rsi
        movq    FRAME_RDX(%rsp), %rdx
        addq    $FRAME_BYTES, %rsp
        .cfi_adjust_cfa_offset -FRAME_BYTES
.endm

        .globl  dlopen
        .type   dlopen, @function
        .p2align 4
dlopen:
        .cfi_startproc
        endbr64
        OPEN_FRAME
        movq    FRAME_BYTES(%rsp), %rdx         /* who calls */
        leaq    FRAME_WORD(%rsp), %rcx
        call    loader_dlopen
        testq   %rax, %rax
        jz      1f
        .cfi_remember_state
        CLOSE_FRAME
        jmp     *%rax
1:
        .cfi_restore_state
        movq    FRAME_WORD(%rsp), %rax
        addq    $FRAME_BYTES, %rsp
        .cfi_adjust_cfa_offset -FRAME_BYTES
        ret
        .cfi_endproc
        .size   dlopen, . - dlopen

        .globl  dlmopen
        .type   dlmopen, @function
        .p2align 4
dlmopen:
        .cfi_startproc
        endbr64
        OPEN_FRAME
        call    loader_dlmopen
        CLOSE_FRAME
        jmp     *%rax
        .cfi_endproc
        .size   dlmopen, . - dlmopen

        .section .note.GNU-stack, "", @progbits
