/* DWARF 4 by hand: a function each, with one parameter, in units of several languages. */

.macro unit name, language, convention
    .text
    .globl \name
    .type \name, @function
\name:
    movl %edi, %eax
    nop
    nop
    nop
    ret
    .size \name, . - \name

    .section .debug_info, "", @progbits
1:  .long 3f - 2f
2:  .value 4
    .long .Labbreviations
    .byte 8
    .uleb128 1 /* compile unit */
    .value \language
    .string "languages"
    .quad \name
    .quad .Lsize_\name
4:  .uleb128 2 /* int */
    .byte 4
    .byte 5
    .string "int"
    .uleb128 3 /* subprogram */
    .string "\name"
    .quad \name
    .quad .Lsize_\name
    .byte \convention
    .uleb128 4 /* formal parameter */
    .string "a"
    .long 4b - 1b
    .byte 0
    .byte 0
3:
    .set .Lsize_\name, 6
.endm

    .section .debug_abbrev, "", @progbits
.Labbreviations:
    .uleb128 1, 0x11 /* DW_TAG_compile_unit */
    .byte 1
    .uleb128 0x13, 0x05, 0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0, 0 /* language, name, low_pc, high_pc */
    .uleb128 2, 0x24 /* DW_TAG_base_type */
    .byte 0
    .uleb128 0x0b, 0x0b, 0x3e, 0x0b, 0x03, 0x08, 0, 0 /* byte_size, encoding, name */
    .uleb128 3, 0x2e /* DW_TAG_subprogram */
    .byte 1
    .uleb128 0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0x36, 0x0b, 0, 0 /* name, low_pc, high_pc, calling_convention */
    .uleb128 4, 0x05 /* DW_TAG_formal_parameter */
    .byte 0
    .uleb128 0x03, 0x08, 0x49, 0x13, 0, 0 /* name, type */
    .uleb128 0

    unit in_c11, 0x1d, 1
    unit in_c17, 0x2c, 1
    unit in_cxx20, 0x2b, 1
    unit in_objc, 0x10, 1
    unit in_c_by_another_convention, 0x1d, 3
    unit in_rust, 0x1c, 1
    unit in_ada, 0x0d, 1
    unit in_an_unknown_language, 0xffff, 1

    .section .note.GNU-stack, "", @progbits
