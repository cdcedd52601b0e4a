/* Pieces of code that do something with the address in an import slot, for test_import_uses.c: the name of each, its bounds,
 * and what is to be found (enum import_use). */
#define UNUSED 0
#define CALLED 1
#define TAKEN  2

        .data
        .p2align 3
        .globl  uses_slot, uses_other_slot, uses_start
uses_slot:       .quad 0
uses_other_slot: .quad 0

        .section .data.rel.ro, "aw"
        .p2align 3
        .globl  uses, uses_end, uses_code, uses_code_end
uses:
        .text
uses_code:

/* The piece in `name` gives `use`. */
.macro USE name, use
        .pushsection .rodata
7771\@: .asciz  "\name"
        .popsection
        .pushsection .data.rel.ro, "aw"
        .quad   7771\@b, 7772\@f, \name\()_end, \use
        .popsection
7772\@:
.endm

.macro END name
\name\()_end:
.endm

        USE nothing, UNUSED
        call    *uses_other_slot(%rip)
        ret
        END nothing

        USE call, CALLED
        call    *uses_slot(%rip)
        ret
        END call

        USE tail_call, CALLED
        nop
        jmp     *uses_slot(%rip)
        END tail_call

        USE call_by_rax, CALLED
        movq    uses_slot(%rip), %rax
        call    *%rax
        movq    %rax, (%rsp)
        ret
        END call_by_rax

        USE call_in_a_loop, CALLED
        pushq   %rbx
        movq    uses_slot(%rip), %rbx
1:      call    *%rbx
        call    *%rbx
        decl    %ebp
        jnz     1b
        popq    %rbx
        ret
        END call_in_a_loop

        USE weak, CALLED
        movq    uses_slot(%rip), %rax
        testq   %rax, %rax
        je      1f
        call    *%rax
1:      ret
        END weak

        USE weak_compared, CALLED
        movq    uses_slot(%rip), %r12
        cmpq    $0, %r12
        je      1f
        call    *%r12
1:      xorl    %r12d, %r12d
        movq    %r12, %rax
        ret
        END weak_compared

        USE tail_call_by_register, CALLED
        movq    uses_slot(%rip), %rax
        jmp     *%rax
        END tail_call_by_register

        USE call_that_does_not_return, CALLED
        movq    uses_slot(%rip), %r13
        call    *%r13
        testl   %eax, %eax
        je      1f
        popq    %r13
        ret
1:      call    *uses_other_slot(%rip)
        nopl    (%rax)
uses_start:
        pushq   %r13
        ret
        END call_that_does_not_return

        USE argument, TAKEN
        movq    uses_slot(%rip), %rdi
        call    *uses_other_slot(%rip)
        ret
        END argument

        USE argument_of_a_tail_call, TAKEN
        movq    uses_slot(%rip), %rsi
        jmp     *uses_other_slot(%rip)
        END argument_of_a_tail_call

        USE result, TAKEN
        movq    uses_slot(%rip), %rax
        ret
        END result

        USE stored, TAKEN
        movq    uses_slot(%rip), %rax
        movq    %rax, 8(%rsp)
        ret
        END stored

        USE pushed, TAKEN
        pushq   uses_slot(%rip)
        ret
        END pushed

        USE pushed_register, TAKEN
        movq    uses_slot(%rip), %rbx
        pushq   %rbx
        ret
        END pushed_register

        USE moved_on, TAKEN
        movq    uses_slot(%rip), %rbx
        movq    %rbx, %rdi
        call    *%rbx
        ret
        END moved_on

        USE compared, TAKEN
        movq    uses_slot(%rip), %rax
        cmpq    %rax, %rdi
        sete    %al
        ret
        END compared

        USE compared_in_memory, TAKEN
        cmpq    uses_slot(%rip), %rdi
        sete    %al
        ret
        END compared_in_memory

        USE slots_address, TAKEN
        leaq    uses_slot(%rip), %rbx
        call    *(%rbx)
        ret
        END slots_address

        USE used_as_base, TAKEN
        movq    uses_slot(%rip), %rbx
        call    *8(%rbx)
        ret
        END used_as_base

        USE read_through, TAKEN
        movq    uses_slot(%rip), %rax
        movl    (%rax), %eax
        ret
        END read_through

        USE written_in_part, TAKEN
        movq    uses_slot(%rip), %rbx
        movb    $0, %bl
        call    *%rbx
        ret
        END written_in_part

        USE written_on_a_condition, TAKEN
        movq    uses_slot(%rip), %rbx
        cmovneq %rdx, %rbx
        call    *%rbx
        ret
        END written_on_a_condition

        USE taken_on_one_way, TAKEN
        movq    uses_slot(%rip), %rbx
        testl   %edi, %edi
        jne     1f
        call    *%rbx
        ret
1:      movq    %rbx, (%rsp)
        ret
        END taken_on_one_way

        USE taken_by_a_jump_back, TAKEN
        jmp     2f
1:      movq    %rbx, %rdi
        call    *uses_other_slot(%rip)
        ret
2:      movq    uses_slot(%rip), %rbx
        jmp     1b
        END taken_by_a_jump_back

        USE jump_table, TAKEN
        movq    uses_slot(%rip), %rbx
        jmp     *%rdx
        END jump_table

        USE lost_by_a_call, TAKEN
        movq    uses_slot(%rip), %r11
        call    *uses_other_slot(%rip)
        call    *%r11
        ret
        END lost_by_a_call

        USE called_and_taken, TAKEN
        call    *uses_slot(%rip)
        movq    uses_slot(%rip), %rax
        ret
        END called_and_taken

        USE no_instruction, TAKEN
        movq    uses_slot(%rip), %rbx
        .byte   0x06
        ret
        END no_instruction

uses_code_end:
        .section .data.rel.ro, "aw"
uses_end:
        .section .note.GNU-stack, "", @progbits
