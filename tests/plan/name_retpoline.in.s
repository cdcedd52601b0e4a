# Known by name to be jumped to from the middle of functions.
# symbol: __x86_indirect_thunk_rax
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call 2f
1:  pause
    lfence
    jmp 1b
2:  mov [rsp], rax
    ret
    .size f, . - f
