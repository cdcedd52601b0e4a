#include "symbols/plan/tails.h"

#include <stddef.h>
#include <string.h>

#include "symbols/plan/look.h"
#include "symbols/plan/memo.h"
#include "symbols/plan/scan.h"
#include "symbols/plan/special.h"

/* How the name of a function changes one that ends in a jump to it. */
static enum plan_reason reason_of_name(const char *name)
{
    switch (special_reason(name)) {
    case PLAN_REASON_CALLER_SENSITIVE:
        return PLAN_REASON_TAIL_CALLER_SENSITIVE;
    case PLAN_REASON_RETURNS_TWICE:
        return PLAN_REASON_TAIL_RETURNS_TWICE;
    default:
        return PLAN_REASON_NONE;
    }
}

static bool is_profiler(const char *name)
{
    static const char *const names[] = {"mcount", "_mcount", "__mcount", "__fentry__"};

    for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool plan_is_special(const char *symbol)
{
    return reason_of_name(symbol) != PLAN_REASON_NONE;
}

static const char *import_at(const struct plan_object *object, uint64_t place)
{
    size_t low = 0;
    size_t high = object->import_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->imports[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < object->import_count && object->imports[low].place == place ? object->imports[low].name : NULL;
}

enum plan_reason tails_through(const struct tails *tails, uint64_t place)
{
    const struct plan_object *object = tails->object;

    return reason_of_name(import_at(object, place - object->bias));
}

bool tails_is_profiler_through(const struct tails *tails, uint64_t place)
{
    const struct plan_object *object = tails->object;

    return is_profiler(import_at(object, place - object->bias));
}

/* The place through which the code at an address goes on at once, as a stub of the procedure linkage table does; 0 if
 * it is none. */
static uint64_t stub_place(const struct tails *tails, const uint8_t *code, size_t bytes, uint64_t address)
{
    static const uint8_t endbr64[] = {0xF3, 0x0F, 0x1E, 0xFA};
    size_t at = bytes >= sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0 ? sizeof(endbr64) : 0;
    struct look look;

    if (!look_at(tails->decoder, code + at, bytes - at, &look) || look.kind != LOOK_JUMP_INDIRECT ||
        look.base != LOOK_RIP)
        return 0;
    return address + at + look.length + (uint64_t)(int64_t)look.disp;
}

bool tails_is_profiler_at(const struct tails *tails, uint64_t target)
{
    const struct plan_object *object = tails->object;
    const uint8_t *code;
    size_t bytes;
    uint64_t place;

    if (is_profiler(object->name_at(object->context, target - object->bias)))
        return true;
    code = object->bytes_at(object->context, target - object->bias, &bytes);
    place = code ? stub_place(tails, code, bytes, target) : 0;
    return place && tails_is_profiler_through(tails, place);
}

static enum plan_reason reason_of_stub(const struct tails *tails, uint64_t target)
{
    const struct plan_object *object = tails->object;
    size_t bytes = 0;
    const uint8_t *code = object->bytes_at(object->context, target - object->bias, &bytes);
    uint64_t place = code ? stub_place(tails, code, bytes, target) : 0;

    return place ? tails_through(tails, place) : PLAN_REASON_NONE;
}

bool tails_is_stub(const struct tails *tails, uint64_t target)
{
    const struct plan_object *object = tails->object;
    size_t bytes = 0;
    const uint8_t *code = object->bytes_at(object->context, target - object->bias, &bytes);

    return code && stub_place(tails, code, bytes, target);
}

/* Scans the function that is jumped to, as if for a plan of its own. */
static void scan_target(const struct tails *tails, uint64_t address, size_t bytes, struct memo_function *ret_function)
{
    const struct plan_object *object = tails->object;
    struct tails inner = {.object = object, .decoder = tails->decoder, .root = tails->root, .depth = tails->depth + 1};
    struct plan_request request = {.address = address, .object = object};
    struct scan_result result;

    request.code = object->bytes_at(object->context, address - object->bias, &request.code_bytes);
    if (!request.code)
        return;
    if (bytes < request.code_bytes)
        request.code_bytes = bytes;
    request.function_bytes = request.code_bytes;
    scan_callee(&inner, &request, &result);
    ret_function->tail = ret_function->tail == PLAN_REASON_NONE ? result.tail : ret_function->tail;
    ret_function->looks_back = result.touches_return_address || result.is_profiled;
}

/* The function that holds `target` (and begins at `address`), by what is known or else by looking at it. */
static void look_behind(const struct tails *tails, uint64_t address, size_t bytes, struct memo_function *ret_function)
{
    struct plan_memo *memo = tails->object->memo;

    *ret_function = (struct memo_function){.tail = PLAN_REASON_NONE};
    if (memo_find(memo, address, ret_function))
        return;
    if (tails->depth == TAILS_DEPTH_MAX || !memo_keep(memo, address, ret_function)) {
        memo_cut(memo);
        return;
    }
    ret_function->tail = reason_of_name(tails->object->name_at(tails->object->context, address - tails->object->bias));
    scan_target(tails, address, bytes, ret_function);
    memo_keep(memo, address, ret_function);
}

void tails_know(const struct tails *tails, const struct scan_result *result)
{
    struct memo_function function = {.tail = result->tail,
                                     .looks_back = result->touches_return_address || result->is_profiled};
    enum plan_reason named =
        reason_of_name(tails->object->name_at(tails->object->context, tails->root - tails->object->bias));

    if (named != PLAN_REASON_NONE)
        function.tail = named;
    memo_begin(tails->object->memo);
    memo_keep(tails->object->memo, tails->root, &function);
}

enum plan_reason tails_at(const struct tails *tails, uint64_t target, bool is_fragment)
{
    const struct plan_object *object = tails->object;
    uint64_t address = target - object->bias;
    struct memo_function function;
    uint64_t start;
    uint64_t bytes;
    enum plan_reason reason;

    if (address < object->code_start || address >= object->code_end)
        return PLAN_REASON_NONE;
    if (!object->function_at(object->context, address, &start, &bytes))
        return reason_of_stub(tails, target);
    if (start + object->bias == tails->root)
        return PLAN_REASON_NONE;
    if (tails->depth == 0)
        memo_begin(object->memo);
    look_behind(tails, start + object->bias, (size_t)bytes, &function);
    reason = function.tail;
    if (function.looks_back && !is_fragment && start == address)
        reason = PLAN_REASON_TAIL_CALLER_SENSITIVE;
    if (tails->depth == 0)
        memo_end(object->memo, reason != PLAN_REASON_NONE);
    return reason;
}
