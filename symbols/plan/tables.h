/* Where a function's indirect jumps may lead: tables of jumps and labels, found by the addresses that the function
 * names. Private to symbols/plan/.
 *
 * Compilers make two kinds of tables. One holds addresses: those the loader or the link editor knows too, so they are
 * among the object's pointers (plan_check_pointers). The other holds differences, of 4 bytes as a rule, to the table's
 * own start (switch) or to a label of the function (`&&a - &&b`). Nothing marks these, but the code has to name the
 * table and the label. So every address in data that the function names is read as if a table of its own began there:
 * what is no table does not lead into code with its first entry. */
#ifndef CALLMETER_SYMBOLS_PLAN_TABLES_H
#define CALLMETER_SYMBOLS_PLAN_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

#include "symbols/plan/plan.h"

struct look;

enum {
    TABLES_LABELS_MAX = 16,
};

/* One function while it is scanned; zeroed but for the first members. All addresses are those of the request. */
struct tables {
    const struct plan_request *request; /* whose object is not NULL */
    uint64_t window;
    uint64_t window_end;
    uint64_t labels[TABLES_LABELS_MAX]; /* in the function's own code, of which it takes the address */
    size_t label_count;
    bool jumps;             /* indirectly, other than by what one word of memory holds */
    bool jumps_by_sum;      /* to a base and a difference */
    bool has_own;           /* a table of differences leads into the function */
    bool leads_into_window; /* behind its first byte */
    bool leads_to_entry;
    uint32_t sum; /* the registers of the last addition or subtraction, while nothing else has used them */
};

/* Takes note of what an instruction at `here` names, and of how it jumps. Context: startup. */
void tables_note(struct tables *tables, const struct look *look, const uint8_t *code, uint64_t here);

/* The verdict when all of the function was noted. */
enum plan_reason tables_reason(struct tables *tables, const ZydisDecoder *decoder);

#endif
