# A hardware shadow stack would not know of a return address that was pushed.
# shadow stack
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    call . + 0x1000
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
