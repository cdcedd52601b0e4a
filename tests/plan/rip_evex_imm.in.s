# EVEX with mask, broadcast and immediate.
    .intel_syntax noprefix
    .text
    .type f, @function
f:
    vpternlogd zmm1{k1}, zmm2, dword ptr [rip + 0x2000]{1to16}, 0x96
    ret
    .size f, . - f
    nop
    nop
    nop
    nop
    nop
