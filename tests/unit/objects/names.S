/* Names that compilers give, by hand, so that no compiler's mood decides what is tested. Every function is long enough
 * to be patched. */

.macro function name, binding=globl
    .p2align 4
    .ifc \binding, globl
    .globl "\name"
    .endif
    .type "\name", @function
"\name":
    endbr64
    pushq %rbx
    movl $1, %eax
    popq %rbx
    ret
    .size "\name", . - "\name"
.endm

    .text
    function plain
    /* .cold and .part beside the function */
    function split
    function split.part.0, local
    function split.cold, local
    /* nothing but what was split off */
    function leftover.part.0, local
    function leftover.cold, local
    /* whole clones in place of the function, one and two, and beside it */
    function fixed.constprop.0, local
    function narrowed.isra.0, local
    function narrowed.isra.1, local
    function narrowed.isra.1.cold, local
    function kept
    function kept.constprop.0, local
    function merged.lto_priv.0, local
    /* a suffix that no compiler is known for is a name */
    function named.v2
    /* C++ clone, and Rust in both manglings */
    function _ZN2ns5cloneEi.constprop.0, local
    function _ZN4core3fmt5Write9write_str17h0123456789abcdefE, local
    function _ZN4core3fmt5Write9write_str17hfedcba9876543210E, local
    function _ZN5alloc40drop_in_place$LT$std..rt..lang_start$GT$17h3a1b2c4d5e6f7081E, local
    function _RNvCs4fqI2P2rA04_7mycrate3run
    function _RNvCs4fqI2P2rA04_7mycrate4__run

    /* a second entry inside the bytes that a jump would replace */
    .p2align 4
    .globl outer
    .type outer, @function
outer:
    xorl %eax, %eax
    .globl inner
    .type inner, @function
inner:
    addl $1, %eax
    addl $1, %eax
    addl $1, %eax
    ret
    .size inner, . - inner
    .size outer, . - outer

    /* the colder part of what is left comes first */
    function remains.cold, local
    function remains.part.0, local
    /* a clone at the same place is no other code */
    .globl same
    .type same, @function
    .set same, same.constprop.0
    function same.constprop.0, local
    /* a name that says how the code behaves, beside one that does not */
    .globl mine
    .type mine, @function
    .set mine, getcontext
    function getcontext

    .globl early
    .type early, @function
    .set early, vfork
    function vfork

    /* a name that ld.so has as well */
    function _dl_mcount

    /* what it does not do, its neighbour does */
    .p2align 4
    .globl quiet
    .type quiet, @function
quiet:
    movl $1, %eax
    testl %edi, %edi
    je noisy
    ret
    .size quiet, . - quiet
    .globl noisy
    .type noisy, @function
noisy:
    movl $1, %ebx
    ret
    .size noisy, . - noisy

    /* its neighbour jumps into its first bytes */
    .p2align 4
    .globl jumped
    .type jumped, @function
jumped:
    xorl %eax, %eax
1:
    addl $1, %eax
    addl $1, %eax
    ret
    .size jumped, . - jumped
    .globl jumper
    .type jumper, @function
jumper:
    movl $1, %eax
    jmp 1b
    .size jumper, . - jumper

    /* its cold part goes back to its entry: what is a call, and what a round? */
    .p2align 4
    .globl again
    .type again, @function
again:
    pushq %rbp
    movl $1, %eax
    testl %edi, %edi
    je again.cold
    popq %rbp
    ret
    .size again, . - again
    .type again.cold, @function
again.cold:
    subl $1, %edi
    popq %rbp
    jmp again
    .size again.cold, . - again.cold

    /* labels without a size: in a function, and where one has ended */
    .p2align 4
    .globl whole
    .type whole, @function
whole:
    movl $1, %eax
    movl $2, %eax
    .globl within
within:
    movl $3, %eax
    movl $4, %eax
    ret
    .size whole, . - whole
    .globl behind
behind:
    movl $1, %eax
    movl $2, %eax
    ret

    /* assembly without a type: global ones are taken for functions, local labels are not */
    .p2align 4
    .globl untyped
untyped:
    movl $1, %eax
    movl $2, %eax
    ret
untyped_label:
    movl $1, %eax
    ret
    .p2align 4
    .globl text_end
text_end:

    /* a stub that some link editors give a symbol */
    .section .plt.hand, "ax", @progbits
    function stub

    .data
    .globl untyped_data
untyped_data:
    .quad 1

    .section .note.GNU-stack, "", @progbits
