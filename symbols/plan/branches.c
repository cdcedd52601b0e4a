/* What other functions of the same object do to one: branches into its window, answers read from the flags, and calls
 * past it, of the body that it is but a jump to.
 *
 * Nothing is known of those functions, so every byte may be the start of a branch. One that would lead into a window is
 * then looked at again: is it where an instruction begins? Decoding from any true start before it gets there, and of
 * 16 bytes in a row at least one is a true start. Wrong starts fall into step after a few instructions, so what merely
 * looks like a branch is hardly ever taken for one. */
#include <stdlib.h>
#include <string.h>

#include "symbols/plan/look.h"
#include "symbols/plan/plan.h"

enum {
    NEIGHBOUR_BYTES = 128 + 2, /* how far a rel8 jump reaches */
    STARTS = 16,               /* more than an instruction can have bytes */
    SETTLE_BYTES = 64,         /* that many further on, wrong starts are in step */
    TEXT_BYTES = 16,           /* that many printable characters in a row are no code */
    FILTER_WORDS = 1024,
    ENDBR64_BYTES = 4,
    MOVES = 4, /* that may stand between a call and who reads the flags */
};

/* The section that is searched. */
struct section {
    const uint8_t *code;
    size_t bytes;
    uint64_t address;
    ZydisDecoder decoder;
};

struct search {
    struct patch_plan **plans; /* sorted by address */
    size_t count;
    struct patch_plan **bodies; /* those that are a jump to a body of their own (plan->body), sorted by it; or NULL */
    size_t body_count;
    uint64_t filter[FILTER_WORDS]; /* a bit for each 8 addresses that a window touches, or a body, folded */
};

static size_t filter_bit(uint64_t address)
{
    return (address >> 3) % ((size_t)FILTER_WORDS * 64);
}

static int compare_plans(const void *left, const void *right)
{
    const struct patch_plan *const *first = left;
    const struct patch_plan *const *second = right;

    return ((*first)->address > (*second)->address) - ((*first)->address < (*second)->address);
}

static int compare_bodies(const void *left, const void *right)
{
    const struct patch_plan *const *first = left;
    const struct patch_plan *const *second = right;

    return ((*first)->body > (*second)->body) - ((*first)->body < (*second)->body);
}

/* Where calls lead to: before the window, if an endbr64 is. */
static uint64_t entry_of(const struct patch_plan *plan)
{
    return plan->address - plan->skip_bytes;
}

static void search_filter(struct search *search, uint64_t address)
{
    size_t bit = filter_bit(address);

    search->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Without memory nobody's other callers are counted. */
static void search_bodies(struct search *search)
{
    search->body_count = 0;
    search->bodies = calloc(search->count + 1, sizeof(*search->bodies));
    for (size_t i = 0; search->bodies && i < search->count; i++) {
        if (!search->plans[i]->body)
            continue;
        search->bodies[search->body_count++] = search->plans[i];
        search_filter(search, search->plans[i]->body);
    }
    if (search->body_count > 1)
        qsort(search->bodies, search->body_count, sizeof(*search->bodies), compare_bodies);
}

static void search_init(struct search *search, struct patch_plan **plans, size_t count)
{
    memset(search->filter, 0, sizeof(search->filter));
    search->plans = plans;
    search->count = count;
    qsort(plans, count, sizeof(struct patch_plan *), compare_plans);
    for (size_t i = 0; i < count; i++) {
        for (uint8_t at = 0; at < plans[i]->window_bytes; at++)
            search_filter(search, plans[i]->address + at);
        search_filter(search, entry_of(plans[i]));
    }
    search_bodies(search);
}

static bool may_matter(const struct search *search, uint64_t address)
{
    size_t bit = filter_bit(address);

    return search->filter[bit / 64] >> bit % 64 & 1;
}

static bool is_in_window(const struct patch_plan *plan, uint64_t address)
{
    return address >= plan->address && address - plan->address < plan->window_bytes;
}

/* Decoding from `from` comes to an instruction that begins at `to`. */
static bool leads_to(const struct section *section, size_t from, size_t to)
{
    struct look look;

    for (; from < to; from += look.length)
        if (!look_at(&section->decoder, section->code + from, section->bytes - from, &look))
            look.length = 1;
    return from == to;
}

/* Constants and strings stand between the functions of hand-written assembly. */
static bool is_text(const struct section *section, size_t at)
{
    size_t first = at;
    size_t end = at;

    while (first > 0 && at - first < TEXT_BYTES && section->code[first - 1] >= ' ' && section->code[first - 1] <= '~')
        first--;
    while (end < section->bytes && end - at < TEXT_BYTES && section->code[end] >= ' ' && section->code[end] <= '~')
        end++;
    return end - first >= TEXT_BYTES && end - at >= 2;
}

static bool is_instruction(const struct section *section, size_t at)
{
    if (is_text(section, at))
        return false;
    if (at < SETTLE_BYTES + STARTS)
        return true;
    for (size_t i = 0; i < STARTS; i++)
        if (leads_to(section, at - SETTLE_BYTES - i, at))
            return true;
    return false;
}

/* What looks like a branch at offset `at` leads to `target`. */
static void note_branch(const struct section *section, size_t at, uint64_t target, struct patch_plan *plan)
{
    if (plan->mode == PLAN_REFUSED || target == plan->address || !is_in_window(plan, target) ||
        is_in_window(plan, section->address + at) || !is_instruction(section, at))
        return;
    plan->mode = PLAN_REFUSED;
    plan->reason = PLAN_REASON_JUMP_INTO_WINDOW;
}

/* Index of the first plan whose address is over `address`. */
static size_t first_above(const struct search *search, uint64_t address)
{
    size_t low = 0;
    size_t high = search->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (search->plans[middle]->address > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* All plans that may have `target` in their window: windows are short, so they begin close before it. */
static void note_far_branch(const struct search *search, const struct section *section, size_t at, uint64_t target)
{
    for (size_t i = first_above(search, target); i > 0; i--) {
        struct patch_plan *plan = search->plans[i - 1];

        if (target - plan->address >= PLAN_WINDOW_BYTES_MAX)
            return;
        note_branch(section, at, target, plan);
    }
}

/* True if the instruction leaves all flags, as far as a glance tells: mov, lea, push, pop and vector moves. */
static bool leaves_flags(const uint8_t *code, size_t bytes, size_t *ret_length)
{
    size_t opcode = bytes > 1 && (code[0] & 0xF0) == 0x40 ? 1 : 0;
    struct look look;

    if (bytes <= opcode + 1 || !look_at_plain(code, bytes, &look))
        return false;
    *ret_length = look.length;
    switch (code[opcode]) {
    case 0x50 ... 0x5F:
    case 0x88 ... 0x8B:
    case 0x8D:
    case 0xB0 ... 0xBF:
    case 0xC6 ... 0xC7:
        return true;
    case 0x0F:
        return code[opcode + 1] == 0x28 || code[opcode + 1] == 0x29 || (code[opcode + 1] & 0xEE) == 0xA6;
    default:
        return false;
    }
}

/* jcc, setcc, cmovcc, adc, sbb */
static bool reads_flags(const uint8_t *code, size_t bytes)
{
    size_t opcode = bytes > 1 && (code[0] & 0xF0) == 0x40 ? 1 : 0;

    if (bytes < opcode + 2)
        return false;
    if (code[opcode] == 0x0F)
        return (code[opcode + 1] & 0xE0) == 0x80 || (code[opcode + 1] & 0xF0) == 0x40;
    if ((code[opcode] & 0xFC) == 0x80)
        return (code[opcode + 1] & 0x30) == 0x10;
    return (code[opcode] & 0xF0) == 0x70 || (code[opcode] & 0xF0) == 0x10;
}

/* A call at offset `at`: what is behind it, moves left aside? */
static bool is_answered_by_flags(const struct section *section, size_t at)
{
    size_t next = at + 5;

    for (unsigned i = 0; i < MOVES; i++) {
        size_t length;

        if (reads_flags(section->code + next, section->bytes - next))
            return is_instruction(section, at);
        if (!leaves_flags(section->code + next, section->bytes - next, &length))
            return false;
        next += length;
    }
    return false;
}

/* Behind a call of what does not return stands what is jumped to, which may read flags that the jump's origin set. */
static void note_call(const struct search *search, uint64_t target)
{
    for (size_t i = first_above(search, target + ENDBR64_BYTES); i > 0; i--) {
        struct patch_plan *plan = search->plans[i - 1];

        if (plan->address < target)
            return;
        if (entry_of(plan) != target || plan->mode != PLAN_FULL || !plan->has_return)
            continue;
        plan->mode = PLAN_COUNT;
        plan->reason = PLAN_REASON_FLAGS_OUT;
    }
}

static bool is_in_function(const struct patch_plan *plan, uint64_t address)
{
    return address - entry_of(plan) < plan->function_bytes;
}

/* A call or jump at offset `at` leads to the body of some functions, `plans`: it is a caller, unless it is in one of
 * them (several that lead to one body are thin covers of it, and each call is of one of them), or in the body. */
static void note_caller(struct patch_plan *const *plans, size_t count, const struct section *section, size_t at)
{
    uint64_t from = section->address + at;

    if (from - plans[0]->body < plans[0]->body_bytes)
        return;
    for (size_t i = 0; i < count; i++)
        if (is_in_function(plans[i], from))
            return;
    if (!is_instruction(section, at))
        return;
    for (size_t i = 0; i < count; i++)
        plans[i]->body_callers += !plans[i]->is_cover;
}

/* Finds the functions whose body is at `target`. */
static void note_body_branch(const struct search *search, const struct section *section, size_t at, uint64_t target)
{
    size_t low = 0;
    size_t high = search->body_count;
    size_t count = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (search->bodies[middle]->body < target)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + count < search->body_count && search->bodies[low + count]->body == target)
        count++;
    if (count)
        note_caller(search->bodies + low, count, section, at);
}

/* call, jmp and jcc with 4 bytes of displacement. */
static void search_far(const struct search *search, const struct section *section)
{
    const uint8_t *code = section->code;

    for (size_t at = 0; at + 5 <= section->bytes; at++) {
        size_t opcode = code[at] == 0x0F ? at + 1 : at;
        int32_t relative;
        uint64_t target;

        if (opcode == at ? (code[at] & 0xFE) != 0xE8 : (code[opcode] & 0xF0) != 0x80)
            continue;
        if (opcode + 5 > section->bytes)
            return;
        memcpy(&relative, code + opcode + 1, sizeof(relative));
        target = section->address + opcode + 5 + (uint64_t)(int64_t)relative;
        if (!may_matter(search, target))
            continue;
        note_far_branch(search, section, at, target);
        note_body_branch(search, section, at, target);
        if (code[at] == 0xE8 && is_answered_by_flags(section, at))
            note_call(search, target);
    }
}

/* lea of an address relative to rip. Behind the first byte of a window only a label can be, and who takes its address
 * jumps there; the function's own are looked at where it is planned. */
static void search_addresses(const struct search *search, const struct section *section)
{
    const uint8_t *code = section->code;

    for (size_t at = 1; at + 6 <= section->bytes; at++) {
        int32_t relative;
        uint64_t target;

        if (code[at] != 0x8D || (code[at + 1] & 0xC7) != 0x05 || (code[at - 1] & 0xF8) != 0x48)
            continue;
        memcpy(&relative, code + at + 2, sizeof(relative));
        target = section->address + at + 6 + (uint64_t)(int64_t)relative;
        if (may_matter(search, target))
            note_far_branch(search, section, at - 1, target);
    }
}

/* The four bytes at offset `at` are the last of an instruction that names them as an address. */
static bool is_number(const struct section *section, size_t at, uint64_t number)
{
    size_t end = at + sizeof(uint32_t);
    struct look look;

    for (size_t first = at - 1; first < at && at - first < STARTS; first--) {
        bool is_named = look_at(&section->decoder, section->code + first, section->bytes - first, &look) &&
                        first + look.length == end &&
                        ((look.has_immediate && look.immediate == number) ||
                         (look.base != LOOK_RIP && (uint32_t)look.disp == number));

        if (is_named && is_instruction(section, first))
            return true;
    }
    return false;
}

/* Where the object is linked to one place, a number may be the address of a label. */
static void search_numbers(const struct search *search, const struct section *section)
{
    for (size_t at = 1; at + sizeof(uint32_t) <= section->bytes; at++) {
        uint32_t number;

        memcpy(&number, section->code + at, sizeof(number));
        if (!may_matter(search, number))
            continue;
        for (size_t i = first_above(search, number); i > 0; i--) {
            struct patch_plan *plan = search->plans[i - 1];

            if (number - plan->address >= PLAN_WINDOW_BYTES_MAX)
                break;
            if (plan->mode != PLAN_REFUSED && number != plan->address && is_in_window(plan, number) &&
                is_number(section, at, number)) {
                plan->mode = PLAN_REFUSED;
                plan->reason = PLAN_REASON_JUMP_INTO_WINDOW;
            }
        }
    }
}

static bool is_near_branch(uint8_t opcode)
{
    return (opcode & 0xF0) == 0x70 || opcode == 0xEB || (opcode & 0xFC) == 0xE0; /* jcc, jmp, loop and jrcxz */
}

static void search_near(const struct section *section, struct patch_plan *plan)
{
    size_t window = (size_t)(plan->address - section->address);
    size_t first = window < NEIGHBOUR_BYTES ? 0 : window - NEIGHBOUR_BYTES;
    size_t end = window + plan->window_bytes + NEIGHBOUR_BYTES;

    for (size_t at = first; at < end && at + 2 <= section->bytes; at++) {
        int64_t relative = (int8_t)section->code[at + 1];

        if (is_near_branch(section->code[at]))
            note_branch(section, at, section->address + at + 2 + (uint64_t)relative, plan);
    }
}

void plan_check_branches(struct patch_plan **plans, size_t plan_count, const uint8_t *code, size_t code_bytes,
                         uint64_t address, bool is_fixed)
{
    struct section section = {.code = code, .bytes = code_bytes, .address = address};
    struct search search;

    ZydisDecoderInit(&section.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    search_init(&search, plans, plan_count);
    search_far(&search, &section);
    search_addresses(&search, &section);
    if (is_fixed)
        search_numbers(&search, &section);
    for (size_t i = 0; i < plan_count; i++)
        if (plans[i]->address >= address && plans[i]->address - address < code_bytes)
            search_near(&section, plans[i]);
    free(search.bodies);
}
