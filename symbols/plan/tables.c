#include "symbols/plan/tables.h"

#include <string.h>

#include "symbols/plan/look.h"
#include "symbols/plan/memo.h"
#include "symbols/plan/own.h"

enum {
    TABLE_BYTES_MAX = 1 << 18,
    THUNK_BYTES_MAX = 64,
};

/* How a table is read: entries of that many bytes, which are added to `base`. */
struct table_form {
    uint64_t base;
    size_t entry_bytes;
};

static bool is_code(const struct plan_object *object, uint64_t address)
{
    address -= object->bias;
    return address >= object->code_start && address < object->code_end;
}

/* What an entry that leads to `target` would mean. */
static bool is_bad(const struct tables *tables, uint64_t target)
{
    return target == tables->request->address || (target >= tables->window && target < tables->window_end);
}

static void note_bad(struct tables *tables, uint64_t target)
{
    if (target == tables->request->address || target == tables->window)
        tables->leads_to_entry = true;
    else
        tables->leads_into_window = true;
}

/* Reads the table at `place` until an entry does not lead into code. Behind its end there is often another one, which
 * reads as if it led close to where it does: it ends where the program names what follows. That is looked up only for
 * an entry that matters. */
static void read_table(struct tables *tables, uint64_t place, const struct table_form *form)
{
    const struct plan_object *object = tables->request->object;
    uint64_t start = place - object->bias;
    size_t bytes = 0;
    const uint8_t *table = object->bytes_at(object->context, start, &bytes);

    if (bytes > TABLE_BYTES_MAX)
        bytes = TABLE_BYTES_MAX;
    for (size_t at = 0; table && at + form->entry_bytes <= bytes; at += form->entry_bytes) {
        int64_t difference = 0;
        uint64_t target;

        memcpy(&difference, table + at, form->entry_bytes);
        if (form->entry_bytes == 4)
            difference = (int32_t)difference;
        target = form->base + (uint64_t)difference;
        if (!is_code(object, target))
            return;
        tables->has_own |= own_holds(tables->request, target);
        if (!is_bad(tables, target))
            continue;
        bytes = (size_t)(memo_next_named(object, start, start + bytes) - start);
        if (at + form->entry_bytes <= bytes)
            note_bad(tables, target);
    }
}

/* Reads the table as differences to each label that the function takes the address of. */
static void read_by_labels(struct tables *tables, uint64_t place)
{
    for (size_t i = 0; i < tables->label_count; i++) {
        read_table(tables, place, &(struct table_form){tables->labels[i], 4});
        read_table(tables, place, &(struct table_form){tables->labels[i], 8});
    }
}

static void add_label(struct tables *tables, uint64_t address)
{
    for (size_t i = 0; i < tables->label_count; i++)
        if (tables->labels[i] == address)
            return;
    if (tables->label_count < TABLES_LABELS_MAX)
        tables->labels[tables->label_count++] = address;
}

/* Addresses that an instruction names: of a relative operand, and, where the object lies at one place, any number. */
static size_t named_addresses(const struct plan_object *object, const struct look *look, uint64_t next,
                              uint64_t named[2])
{
    size_t count = 0;

    if (look->base == LOOK_RIP && look->is_address)
        named[count++] = next + (uint64_t)(int64_t)look->disp;
    if (!object->is_fixed)
        return count;
    if (look->base != LOOK_RIP && look->disp > 0)
        named[count++] = (uint64_t)look->disp;
    if (look->has_immediate && count < 2)
        named[count++] = look->immediate;
    return count;
}

/* Where the object is linked to one place, half a word may be an address. One alone is the half of a whole word. */
static void read_halves(struct tables *tables, uint64_t place)
{
    const struct plan_object *object = tables->request->object;
    size_t bytes = 0;
    const uint8_t *table = object->is_fixed ? object->bytes_at(object->context, place - object->bias, &bytes) : NULL;
    uint32_t second;

    if (!table || bytes < 2 * sizeof(second))
        return;
    memcpy(&second, table + sizeof(second), sizeof(second));
    if (is_code(object, second + object->bias))
        read_table(tables, place, &(struct table_form){object->bias, sizeof(second)});
}

static void note_named(struct tables *tables, uint64_t address)
{
    if (address > tables->window && address < tables->window_end) {
        tables->leads_into_window = true;
    } else if (own_holds(tables->request, address)) {
        add_label(tables, address);
    } else {
        read_table(tables, address, &(struct table_form){address, 4});
        read_halves(tables, address);
    }
}

/* add or sub of two registers of 8 bytes, or lea of a base and an index. */
static bool is_sum(const uint8_t *code, const struct look *look)
{
    if (look->is_address)
        return look->has_index && look->base < LOOK_RIP;
    return look->length == 3 && (code[0] & 0xF8) == 0x48 && (code[1] & 0xD5) == 0x01 && code[2] >= 0xC0;
}

static void note_jump(struct tables *tables, const struct look *look)
{
    bool is_register = look->base == LOOK_NO_REGISTER && !look->has_index && !look->disp;

    tables->jumps |= look->base != LOOK_RIP;
    tables->jumps_by_sum |= is_register && (look->operands & tables->sum);
}

/* A thunk that stands in for an indirect jump, where those are not to be predicted (-mindirect-branch, -mretpoline): it
 * calls a place in itself, and returns to what it has put in place of the return address. */
static bool is_thunk(const struct plan_object *object, uint64_t target)
{
    size_t bytes = 0;
    const uint8_t *code = object->bytes_at(object->context, target - object->bias, &bytes);
    int32_t distance = 0;

    if (!code || bytes < 5 || code[0] != 0xE8)
        return false;
    memcpy(&distance, code + 1, sizeof(distance));
    return distance > 0 && distance < THUNK_BYTES_MAX;
}

/* Indirect jumps in disguise. */
static void note_relative(struct tables *tables, const struct look *look, uint64_t next)
{
    uint64_t target = next + (uint64_t)(int64_t)look->relative;
    bool is_inside = own_holds(tables->request, target);

    if (look->kind == LOOK_CALL)
        tables->jumps |= is_inside && target != tables->request->address;
    else
        tables->jumps |= !is_inside && is_thunk(tables->request->object, target);
}

void tables_note(struct tables *tables, const struct look *look, const uint8_t *code, uint64_t here)
{
    uint64_t next = here + look->length;
    uint64_t named[2];

    if (look->base != LOOK_NO_REGISTER || look->disp || look->has_immediate) {
        size_t count = named_addresses(tables->request->object, look, next, named);

        for (size_t i = 0; i < count; i++)
            note_named(tables, named[i]);
    }
    if (look->kind == LOOK_JUMP_INDIRECT)
        note_jump(tables, look);
    else if (look->kind == LOOK_JUMP || look->kind == LOOK_BRANCH || look->kind == LOOK_CALL)
        note_relative(tables, look, next);
    if (is_sum(code, look))
        tables->sum = look->operands;
    else
        tables->sum &= ~look->operands;
}

/* A second pass, now that the labels are known. Where bytes are no instruction it goes on with the next one. */
static void read_all_by_labels(struct tables *tables, const ZydisDecoder *decoder, const uint8_t *code, size_t bytes,
                               uint64_t address)
{
    const struct plan_request *request = tables->request;
    struct look look;

    for (size_t at = 0; at < bytes; at += look.length) {
        uint64_t named[2];
        size_t count;

        if (!look_at(decoder, code + at, bytes - at, &look)) {
            look.length = 1;
            continue;
        }
        count = named_addresses(request->object, &look, address + at + look.length, named);
        for (size_t i = 0; i < count; i++)
            if (!own_holds(request, named[i]))
                read_by_labels(tables, named[i]);
    }
}

/* The function takes the address of its entry and of another of its labels: that is a table made on the stack. */
static bool makes_table(const struct tables *tables)
{
    for (size_t i = 0; i < tables->label_count; i++)
        if (tables->labels[i] == tables->request->address || tables->labels[i] == tables->window)
            return tables->label_count > 1;
    return false;
}

enum plan_reason tables_reason(struct tables *tables, const ZydisDecoder *decoder)
{
    const struct plan_request *request = tables->request;

    if (tables->jumps && tables->label_count) {
        tables->leads_to_entry |= makes_table(tables);
        read_all_by_labels(tables, decoder, request->code, own_bytes(request), request->address);
        if (request->cold)
            read_all_by_labels(tables, decoder, request->cold, request->cold_bytes, request->cold_address);
    }
    if (tables->leads_into_window)
        return PLAN_REASON_TABLE_INTO_WINDOW;
    if (tables->leads_to_entry)
        return PLAN_REASON_TABLE_TO_ENTRY;
    return tables->jumps_by_sum && !tables->has_own ? PLAN_REASON_UNKNOWN_TABLE : PLAN_REASON_NONE;
}
