/* A caller that keeps a value in every register there is, and callees which leave them all alone.
 *
 *   registers_probe   loads registers_in, calls *registers_callee, stores into registers_out
 *   idle, idle_cet    tracked; do nothing at all
 *   witness           tracked; stores what arrives into registers_seen
 *
 * GCC's -fipa-ra makes such callers: the compiler sees what a local callee touches. The layout is struct registers of
 * registers.c: 15 general registers, rsp, then an XSAVE area. Not for several threads at once. */

#define GPR(base, index) (base + 8 * (index))(%rip)
#define RSP_INDEX        15
#define XSAVE_OFFSET     128

.macro gpr_move direction, base
    \direction %rbx, 0, \base
    \direction %rcx, 1, \base
    \direction %rsi, 3, \base
    \direction %rdi, 4, \base
    \direction %rbp, 5, \base
    \direction %r8, 6, \base
    \direction %r9, 7, \base
    \direction %r10, 8, \base
    \direction %r11, 9, \base
    \direction %r12, 10, \base
    \direction %r13, 11, \base
    \direction %r14, 12, \base
    \direction %r15, 13, \base
    \direction %rdx, 2, \base
    \direction %rax, 14, \base
.endm

.macro store register, index, base
    mov \register, GPR(\base, \index)
.endm

.macro load register, index, base
    mov GPR(\base, \index), \register
.endm

/* Clobbers rax and rdx. */
.macro vector_move instruction, base
    mov registers_mask(%rip), %eax
    xor %edx, %edx
    \instruction \base + XSAVE_OFFSET(%rip)
.endm

    .text
    .globl registers_probe
    .hidden registers_probe
    .type registers_probe, @function
registers_probe:
    .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    push %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    push %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    push %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    push %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    push %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    vector_move xrstor64, registers_in
    mov %rsp, GPR(registers_in, RSP_INDEX)
    gpr_move load, registers_in
    call *registers_callee(%rip)
    gpr_move store, registers_out
    mov %rsp, GPR(registers_out, RSP_INDEX)
    vector_move xsave64, registers_out
    vector_move xrstor64, registers_init
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    pop %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    pop %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    pop %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    pop %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    pop %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    pop %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size registers_probe, . - registers_probe

    .p2align 4
    .globl idle
    .type idle, @function
idle:
    .cfi_startproc
    nopw 0(%rax, %rax)
    ret
    .cfi_endproc
    .size idle, . - idle

    .p2align 4
    .globl idle_cet
    .type idle_cet, @function
idle_cet:
    .cfi_startproc
    endbr64
    nopw 0(%rax, %rax)
    ret
    .cfi_endproc
    .size idle_cet, . - idle_cet

    .p2align 4
    .globl witness
    .type witness, @function
witness:
    .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    gpr_move store, registers_seen
    lea 8(%rsp), %rax
    mov %rax, GPR(registers_seen, RSP_INDEX)
    vector_move xsave64, registers_seen
    gpr_move load, registers_seen
    pop %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size witness, . - witness

    .section .note.GNU-stack, "", @progbits
