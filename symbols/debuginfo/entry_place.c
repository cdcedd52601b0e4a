#include "symbols/debuginfo/entry_place.h"

#include <dwarf.h>
#include <string.h>

enum {
    DEBUGINFO_RBP = 6,
    DEBUGINFO_RSP = 7,
    DEBUGINFO_XMM_FIRST = 17,
    DEBUGINFO_XMM_COUNT = 8,
    DEBUGINFO_EIGHTBYTE = 8,
};

/* An expression that is read. */
struct debuginfo_reader {
    Dwarf_Die *function;
    Dwarf_Attribute *attribute;
    Dwarf_Op *operations;
    size_t count;
    size_t at;
};

/* Numbers of DWARF (System V ABI, AMD64 supplement, figure 3.36) to those of arguments. */
static struct debuginfo_piece debuginfo_in_register(uint64_t number)
{
    static const int8_t integers[] = {-1, 2, 3, -1, 1, 0, -1, -1, 4, 5};

    if (number < sizeof(integers) && integers[number] >= 0)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_INTEGER, .number = (unsigned)integers[number]};
    if (number >= DEBUGINFO_XMM_FIRST && number < DEBUGINFO_XMM_FIRST + DEBUGINFO_XMM_COUNT)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_VECTOR,
                                        .number = (unsigned)(number - DEBUGINFO_XMM_FIRST)};
    return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
}

/* Memory at `offset` from where the return address lies. */
static struct debuginfo_piece debuginfo_in_frame(int64_t offset)
{
    if (offset >= DEBUGINFO_EIGHTBYTE)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_STACK, .offset = offset - DEBUGINFO_EIGHTBYTE};
    return (struct debuginfo_piece){.where = DEBUGINFO_IN_SLOT, .offset = offset};
}

/* Memory at an offset from a register, at the function's beginning. rbp is what the prologue makes it: it points to the
 * caller's rbp, below the return address. */
static struct debuginfo_piece debuginfo_in_memory(uint64_t base, int64_t offset)
{
    struct debuginfo_piece piece;

    if (base == DEBUGINFO_RBP)
        return debuginfo_in_frame(offset - DEBUGINFO_EIGHTBYTE);
    if (base == DEBUGINFO_RSP)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_SLOT, .offset = offset, .is_from_rsp = true};
    piece = debuginfo_in_register(base);
    if (piece.where != DEBUGINFO_IN_INTEGER)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
    piece.is_behind = true;
    piece.behind = offset;
    return piece;
}

static struct debuginfo_piece debuginfo_from_frame_base(Dwarf_Die *function, int64_t offset)
{
    Dwarf_Attribute attribute;
    Dwarf_Op *operations;
    size_t count;

    if (!dwarf_attr_integrate(function, DW_AT_frame_base, &attribute) ||
        dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
    if (operations[0].atom == DW_OP_call_frame_cfa)
        return debuginfo_in_frame((int64_t)((uint64_t)offset + DEBUGINFO_EIGHTBYTE));
    if (operations[0].atom == DW_OP_reg0 + DEBUGINFO_RBP || operations[0].atom == DW_OP_reg0 + DEBUGINFO_RSP)
        return debuginfo_in_memory(operations[0].atom - DW_OP_reg0, offset);
    return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
}

/* What a register held when the function began: at its beginning, what it holds. */
static struct debuginfo_piece debuginfo_entry_value(const struct debuginfo_reader *reader, const Dwarf_Op *operation)
{
    Dwarf_Attribute inner;
    Dwarf_Op *operations;
    size_t count;

    if (dwarf_getlocation_attr(reader->attribute, operation, &inner) != 0 ||
        dwarf_getlocation(&inner, &operations, &count) != 0 || count != 1 || operations[0].atom < DW_OP_reg0 ||
        operations[0].atom > DW_OP_reg31)
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
    return debuginfo_in_register(operations[0].atom - DW_OP_reg0);
}

static bool debuginfo_takes(struct debuginfo_reader *reader, unsigned atom)
{
    if (reader->at >= reader->count || reader->operations[reader->at].atom != atom)
        return false;
    reader->at++;
    return true;
}

static bool debuginfo_is_piece(const struct debuginfo_reader *reader)
{
    return reader->at < reader->count && (reader->operations[reader->at].atom == DW_OP_piece ||
                                          reader->operations[reader->at].atom == DW_OP_bit_piece);
}

/* Skips what makes a value that is in no place: a constant, something computed, an object that was optimized away. */
static struct debuginfo_piece debuginfo_pass_over(struct debuginfo_reader *reader)
{
    while (reader->at < reader->count && !debuginfo_is_piece(reader))
        reader->at++;
    return (struct debuginfo_piece){.where = DEBUGINFO_IN_NOTHING};
}

/* Memory, of which there may be more to say: the value is its address, or it is a pointer to the value. */
static struct debuginfo_piece debuginfo_finish_memory(struct debuginfo_reader *reader, struct debuginfo_piece piece)
{
    if (debuginfo_takes(reader, DW_OP_stack_value)) {
        if (!piece.is_behind || piece.behind != 0)
            return (struct debuginfo_piece){.where = DEBUGINFO_IN_NOTHING};
        piece.is_behind = false; /* the register, with nothing added */
        return piece;
    }
    if (debuginfo_takes(reader, DW_OP_deref)) {
        if (debuginfo_takes(reader, DW_OP_stack_value))
            return piece;
        if (piece.is_behind)
            return (struct debuginfo_piece){.where = DEBUGINFO_IN_ELSEWHERE};
        piece.is_behind = true;
    }
    return piece;
}

/* One simple location. */
static struct debuginfo_piece debuginfo_read_simple(struct debuginfo_reader *reader)
{
    const Dwarf_Op *operation = &reader->operations[reader->at];
    struct debuginfo_piece piece;

    if (debuginfo_is_piece(reader))
        return (struct debuginfo_piece){.where = DEBUGINFO_IN_NOTHING};
    reader->at++;
    if (operation->atom >= DW_OP_reg0 && operation->atom <= DW_OP_reg31)
        return debuginfo_in_register(operation->atom - DW_OP_reg0);
    if (operation->atom == DW_OP_fbreg)
        piece = debuginfo_from_frame_base(reader->function, (int64_t)operation->number);
    else if (operation->atom >= DW_OP_breg0 && operation->atom <= DW_OP_breg31)
        piece = debuginfo_in_memory(operation->atom - DW_OP_breg0, (int64_t)operation->number);
    else if (operation->atom == DW_OP_entry_value || operation->atom == DW_OP_GNU_entry_value) {
        piece = debuginfo_entry_value(reader, operation);
        if (debuginfo_takes(reader, DW_OP_stack_value))
            return piece;
        return debuginfo_pass_over(reader);
    } else {
        return debuginfo_pass_over(reader);
    }
    piece = debuginfo_finish_memory(reader, piece);
    if (reader->at < reader->count && !debuginfo_is_piece(reader))
        return debuginfo_pass_over(reader);
    return piece;
}

/* How many bytes a DW_OP_piece is of, and 0 of anything else; of bits that are no bytes, SIZE_MAX. */
static uint64_t debuginfo_read_piece_bytes(struct debuginfo_reader *reader)
{
    const Dwarf_Op *operation = &reader->operations[reader->at];

    if (!debuginfo_is_piece(reader))
        return 0;
    reader->at++;
    if (operation->atom == DW_OP_piece)
        return operation->number;
    return operation->number % 8 == 0 && operation->number2 == 0 ? operation->number / 8 : SIZE_MAX;
}

static void debuginfo_read_place(struct debuginfo_reader *reader, struct debuginfo_entry_place *place)
{
    uint64_t first = 0;

    while (reader->at < reader->count && place->count < DEBUGINFO_PIECES_MAX) {
        struct debuginfo_piece piece = debuginfo_read_simple(reader);
        uint64_t bytes = debuginfo_read_piece_bytes(reader);

        piece.first = first;
        piece.bytes = bytes;
        if (bytes == SIZE_MAX)
            return;
        first += bytes;
        if (piece.where != DEBUGINFO_IN_NOTHING)
            place->pieces[place->count++] = piece;
        if (bytes == 0)
            return;
    }
}

void debuginfo_entry_place(Dwarf_Die *function, Dwarf_Die *parameter, uint64_t address,
                           struct debuginfo_entry_place *ret_place)
{
    Dwarf_Attribute attribute;
    struct debuginfo_reader reader = {.function = function, .attribute = &attribute};

    memset(ret_place, 0, sizeof(*ret_place));
    if (!dwarf_attr(parameter, DW_AT_location, &attribute) ||
        dwarf_getlocation_addr(&attribute, address, &reader.operations, &reader.count, 1) != 1)
        return;
    debuginfo_read_place(&reader, ret_place);
}

const struct debuginfo_piece *debuginfo_entry_piece(const struct debuginfo_entry_place *place, uint64_t offset,
                                                    uint64_t bytes)
{
    for (size_t i = 0; i < place->count; i++) {
        const struct debuginfo_piece *piece = &place->pieces[i];

        if (offset >= piece->first && (piece->bytes == 0 || offset + bytes <= piece->first + piece->bytes))
            return piece;
    }
    return NULL;
}
