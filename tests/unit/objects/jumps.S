/* Functions and tables, linked as a library and to one place. What stands in front of `__` in the name of a function is
 * what the planner is to say of it; `aux__` functions are not asked for. FIXED: the object is linked to one place. */
    .intel_syntax noprefix
    .text

    .macro begin name
    .p2align 4, 0xCC
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    .endm

    .macro end name
    .cfi_endproc
    .size \name, . - \name
    .endm

    /* A loop of labels by a table at \table; \first lies \before bytes behind the entry. */
    .macro labels name, table
    begin \name
    nop
    nop
1:
    movzx eax, byte ptr [rdi]
    inc rdi
    lea rdx, \table[rip]
    jmp [rdx + rax * 8]
2:
    mov rax, rsi
    ret
    end \name
    .endm

/* --- pointers in data --- */

    labels table_into_window__pointer, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad table_into_window__pointer + 2, table_into_window__pointer + 20
    .text

    labels full__pointer_behind_window, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad full__pointer_behind_window + 6, full__pointer_behind_window + 20
    .text

    labels table_to_entry__pointers, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad table_to_entry__pointers, table_to_entry__pointers + 20
    .text

    /* Labels stand between other things. */
    labels table_to_entry__records, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad table_to_entry__records + 20, 7, 7, 7
    .quad table_to_entry__records
    .text

    labels full__records_apart, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad full__records_apart + 20, 7, 7, 7, 7
    .quad full__records_apart
    .text

    /* Pointers to functions alone. */
    labels full__functions, 3f
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad full__functions, full__pointer_behind_window, full__functions
    .text

    /* Only a label can lie behind endbr64. */
    begin table_to_entry__endbr64
    endbr64
    movzx eax, byte ptr [rdi]
    inc rdi
    lea rdx, 3f[rip]
    notrack jmp [rdx + rax * 8]
    end table_to_entry__endbr64
    .section .data.rel.ro, "aw"
    .balign 8
3:  .quad table_to_entry__endbr64 + 4
    .text

    begin full__endbr64
    endbr64
    movzx eax, byte ptr [rdi]
    inc rdi
    ret
    end full__endbr64
    .section .data.rel.ro, "aw"
    .balign 8
    .quad full__endbr64
    .text

/* --- tables of differences to their own start --- */

    .macro switch name, table
    begin \name
    movzx eax, byte ptr [rdi]
    inc rdi
    lea rdx, \table[rip]
    movsxd rax, dword ptr [rdx + rax * 4]
    add rax, rdx
    jmp rax
    mov rax, rsi
    ret
    end \name
    .endm

    switch table_to_entry__switch, 3f
    .section .rodata
    .balign 4
3:  .long table_to_entry__switch + 19 - 3b, table_to_entry__switch - 3b
    .text

    switch table_into_window__switch, 3f
    .section .rodata
    .balign 4
3:  .long table_into_window__switch + 19 - 3b, table_into_window__switch + 3 - 3b
    .text

    switch full__switch, 3f
    .section .rodata
    .balign 4
3:  .long full__switch + 19 - 3b, full__switch + 22 - 3b
    .text

    /* Two tables, one behind the other: read by the first one's start, the second leads into the window. */
    begin full__two_switches
    movzx eax, byte ptr [rdi]
    inc rdi
    lea rdx, 3f[rip]
    lea rcx, 4f[rip]
    movsxd rax, dword ptr [rdx + rax * 4]
    add rax, rdx
    jmp rax
    ret
    end full__two_switches
    .section .rodata
    .balign 4
3:  .long full__two_switches + 26 - 3b
4:  .long full__two_switches + 3 - 3b
    .long 0
    .text

    /* What ends a table is no code. */
    switch full__switch_ends, 3f
    .section .rodata
    .balign 4
3:  .long full__switch_ends + 19 - 3b, 4, full__switch_ends + 3 - 3b
    .text

    begin unknown_table__sum
    movzx eax, byte ptr [rdi]
    lea rdx, [rdi + 8]
    movsxd rax, dword ptr [rdx + rax * 4]
    add rax, rdx
    jmp rax
    end unknown_table__sum

    begin unknown_table__sum_before
    movzx eax, word ptr [rsi + rdi * 2]
    add rdx, rax
    mov ecx, 1
    jmp rdx
    end unknown_table__sum_before

    begin unknown_table__lea
    movzx eax, byte ptr [rdi]
    mov rdx, rsi
    lea rcx, [rdx + rax * 4]
    jmp rcx
    end unknown_table__lea

    /* A virtual call at the end, and one whose address was added up before. */
    begin full__virtual
    mov rax, [rdi]
    mov rdi, rsi
    nop
    jmp [rax + 24]
    end full__virtual

    begin full__sum_before
    add rax, rdx
    mov rax, [rdi]
    nop
    jmp rax
    end full__sum_before

/* --- tables of differences to a label, and on the stack --- */

    begin table_to_entry__difference
    movzx eax, byte ptr [rdi]
    inc rdi
    lea rdx, table_to_entry__difference[rip]
    lea rcx, 3f[rip]
    movsxd rax, dword ptr [rcx + rax * 4]
    add rax, rdx
    jmp rax
    ret
    end table_to_entry__difference
    .section .rodata
    .balign 4
3:  .long 26, 0
    .long 0x7fffffff
    .text

    begin table_into_window__difference
    movzx eax, byte ptr [rdi]
    inc rdi
2:
    lea rdx, 2b[rip]
    lea rcx, 3f[rip]
    add rdx, [rcx + rax * 8]
    jmp rdx
    ret
    end table_into_window__difference
    .section .rodata
    .balign 8
3:  .quad 4, -3
    .quad 0x7fffffff
    .text

    begin table_to_entry__stack
    push rax
    push rcx
    lea rax, table_to_entry__stack[rip]
    mov [rsp], rax
    lea rax, 2f[rip]
    mov [rsp + 8], rax
    jmp [rsp + rdi * 8]
2:
    ret
    end table_to_entry__stack

    /* The same where the jump is made by a thunk. */
    begin table_to_entry__thunk
    push rax
    push rcx
    lea rax, table_to_entry__thunk[rip]
    mov [rsp], rax
    lea rax, 2f[rip]
    mov [rsp + 8], rax
    mov rax, [rsp + rdi * 8]
    jmp aux__thunk
2:
    ret
    end table_to_entry__thunk

    begin aux__thunk
    call 2f
1:
    pause
    jmp 1b
2:
    mov [rsp], rax
    ret
    end aux__thunk

    begin table_to_entry__thunk_inside
    push rax
    push rcx
    lea rax, table_to_entry__thunk_inside[rip]
    mov [rsp], rax
    lea rax, 2f[rip]
    mov [rsp + 8], rax
    mov rax, [rsp + rdi * 8]
    call 1f
0:
    pause
    jmp 0b
1:
    mov [rsp], rax
    ret
2:
    ret
    end table_to_entry__thunk_inside

    begin full__own_address
    push rax
    lea rax, full__own_address[rip]
    mov [rsp], rax
    lea rax, 2f[rip]
    mov [rsi], rax
    pop rax
2:
    ret
    end full__own_address

    /* It hands itself on, and goes on by a method. */
    begin full__own_callback
    lea rax, full__own_callback[rip]
    mov [rdi], rax
    mov rax, [rsi]
    jmp [rax + 8]
    end full__own_callback

    /* The address of a label that another function takes. */
    begin jump_into_window__address
    nop
    nop
.Lbehind:
    nop
    nop
    nop
    ret
    end jump_into_window__address

    begin aux__takes_address
    lea rax, .Lbehind[rip]
    ret
    end aux__takes_address

/* --- one place: any number may be an address --- */

#ifdef FIXED
    begin table_into_window__number
    nop
    nop
    mov qword ptr [rsp - 8], offset table_into_window__number + 2
    jmp [rsp - 8]
    end table_into_window__number

    begin table_into_window__displacement
    nop
    nop
    lea rax, [rdi + table_into_window__displacement + 1]
    jmp rax
    end table_into_window__displacement

    begin jump_into_window__others_number
    nop
    nop
.Lbehind_number:
    nop
    nop
    nop
    ret
    end jump_into_window__others_number

    begin aux__takes_number
    mov eax, offset .Lbehind_number
    ret
    end aux__takes_number

    begin table_into_window__words
    movzx eax, byte ptr [rdi]
    inc rdi
    jmp [3f + rax * 8]
    end table_into_window__words
    .section .rodata
    .balign 8
3:  .quad table_into_window__words + 3
    .text

    begin table_into_window__half_words
    movzx eax, byte ptr [rdi]
    inc rdi
    mov eax, [3f + rax * 4]
    jmp rax
    end table_into_window__half_words
    .data
    .balign 8
    .long 1
3:  .long table_into_window__half_words + 3, table_into_window__half_words + 3
    .text
#endif

/* --- what others look at, through a jump --- */

    .macro jump name, to:vararg
    begin \name
    mov esi, 2
    jmp \to
    end \name
    .endm

    jump tail_caller_sensitive__stub, dlopen@plt
    jump tail_caller_sensitive__slot, [qword ptr dlsym@GOTPCREL[rip]]
    jump tail_caller_sensitive__two, tail_caller_sensitive__stub
    jump tail_caller_sensitive__three, tail_caller_sensitive__two
    jump tail_returns_twice__stub, vfork@plt
    jump full__stub, malloc@plt
    jump full__slot, [qword ptr malloc@GOTPCREL[rip]]
    jump full__noreturn, execve@plt

    begin tail_caller_sensitive__branch
    test edi, edi
    mov esi, 2
    je malloc@plt
    jne dlvsym@plt
    end tail_caller_sensitive__branch

    begin tail_caller_sensitive__register
    mov rax, dlopen@GOTPCREL[rip]
    test edi, edi
    cmove rax, rsi
    jmp rax
    end tail_caller_sensitive__register

    begin tail_caller_sensitive__named
    lea rax, aux__looks_back[rip]
    test edi, edi
    cmove rax, rsi
    jmp rax
    end tail_caller_sensitive__named

    begin full__called
    sub rsp, 8
    call dlopen@plt
    add rsp, 8
    ret
    end full__called

    begin full__handed_on
    lea rdi, aux__looks_back[rip]
    mov rax, dlopen@GOTPCREL[rip]
    mov [rsi], rax
    ret
    end full__handed_on

    begin aux__looks_back
    mov rax, [rsp]
    nop
    nop
    ret
    end aux__looks_back

    jump tail_caller_sensitive__looks_back, aux__looks_back

    /* The same code, gone to with a frame: it reads what the function itself has put there. */
    begin full__fragment
    push rdi
    mov esi, 2
    jmp aux__fragment
    end full__fragment

    begin aux__fragment
    mov rax, [rsp]
    pop rcx
    ret
    end aux__fragment

    /* Circles: what leads into them sees what is on them. */
    begin tail_caller_sensitive__circle
    test edi, edi
    mov esi, 2
    je tail_caller_sensitive__circle_back
    ret
    end tail_caller_sensitive__circle

    begin tail_caller_sensitive__circle_back
    test edi, edi
    mov esi, 2
    je tail_caller_sensitive__circle
    jmp dlopen@plt
    end tail_caller_sensitive__circle_back

    begin full__circle
    test edi, edi
    mov esi, 2
    je full__circle_back
    ret
    end full__circle

    jump full__circle_back, full__circle
    jump tail_caller_sensitive__to_circle, tail_caller_sensitive__circle

    /* The second of the circle is looked at while the first is not known yet. */
    jump tail_caller_sensitive__into_first, aux__first_of_circle
    jump tail_caller_sensitive__into_second, aux__second_of_circle

    begin aux__first_of_circle
    test edi, edi
    je aux__second_of_circle
    jmp dlopen@plt
    end aux__first_of_circle

    begin aux__second_of_circle
    test edi, edi
    je aux__first_of_circle
    ret
    end aux__second_of_circle

    .section .data.rel.ro, "aw"
    .balign 8
4:  .quad dlmopen
5:  .quad aux__looks_back
    .text
    jump tail_caller_sensitive__constant, [qword ptr 4b[rip]]
    jump tail_caller_sensitive__local_constant, [qword ptr 5b[rip]]

    begin profiled__call
    push rbp
    mov rbp, rsp
    call mcount@plt
    pop rbp
    ret
    end profiled__call

    begin profiled__slot
    push rbp
    mov rbp, rsp
    call [qword ptr mcount@GOTPCREL[rip]]
    pop rbp
    ret
    end profiled__slot

    jump tail_caller_sensitive__profiled, profiled__call

    .section .note.GNU-stack, "", @progbits
