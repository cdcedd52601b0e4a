/* Where a parameter lies when its function begins, as its DWARF location says it. Private to symbols/debuginfo/.
 *
 * The location list's entry that covers the first instruction counts: what is true later is not what a caller passed.
 * A place in the function's own frame is written by the function itself, so its first instructions tell the rest. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_ENTRY_PLACE_H
#define CALLMETER_SYMBOLS_DEBUGINFO_ENTRY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <elfutils/libdw.h>

enum debuginfo_where {
    DEBUGINFO_IN_NOTHING, /* left out, or a constant */
    DEBUGINFO_IN_INTEGER, /* a register of arguments, `number` from 0 */
    DEBUGINFO_IN_VECTOR,  /* the same of vectors */
    DEBUGINFO_IN_STACK,   /* `offset` bytes into the arguments on the stack */
    DEBUGINFO_IN_SLOT, /* of the function's frame: `offset` from the return address, or from rsp behind the prologue */
    DEBUGINFO_IN_ELSEWHERE, /* where no argument is passed, or where cannot be told */
};

/* Bytes of a parameter. */
struct debuginfo_piece {
    enum debuginfo_where where;
    unsigned number;
    int64_t offset;
    bool is_from_rsp; /* of a slot */
    bool is_behind;   /* what lies there is a pointer: the piece is in memory, `behind` bytes from where that points */
    int64_t behind;
    uint64_t first; /* byte of the parameter */
    uint64_t bytes; /* 0: all */
};

enum {
    DEBUGINFO_PIECES_MAX = 8,
};

/* No pieces: the compiler left the parameter out. */
struct debuginfo_entry_place {
    struct debuginfo_piece pieces[DEBUGINFO_PIECES_MAX];
    size_t count;
};

/* Where `parameter` of the function, whose DIEs both are, is at `address`, its first instruction. DWARF 5, 2.6. */
void debuginfo_entry_place(Dwarf_Die *function, Dwarf_Die *parameter, uint64_t address,
                           struct debuginfo_entry_place *ret_place);

/* The piece that all of `bytes` bytes from `offset` on lie in; NULL: there is none, or they lie in several. */
const struct debuginfo_piece *debuginfo_entry_piece(const struct debuginfo_entry_place *place, uint64_t offset,
                                                    uint64_t bytes);

#endif
