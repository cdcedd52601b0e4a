# A memory barrier that happens to be there.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    lock or qword ptr [rsp], 0
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
