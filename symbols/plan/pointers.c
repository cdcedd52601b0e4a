/* What pointers in an object's data say of its functions: they lead into a window, or make a table of labels.
 *
 * A pointer to a function's entry is one for calls as a rule, and harmless. But where the same table holds addresses
 * inside of the function too, it is one of labels, and the function jumps by it: the entry is then the head of a loop.
 */
#include <stdlib.h>

#include "symbols/plan/plan.h"

enum {
    CHAIN_BYTES = 32, /* so far apart may two entries of a table of labels be, if other things stand between them */
};

/* The last pointers that led into one function. */
struct chain {
    uint64_t place;
    bool has_entry;
    bool has_label;
};

/* The last plan that begins at or before an address: its index + 1, or 0. */
static size_t last_before(struct patch_plan *const *plans, size_t count, uint64_t address)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (plans[middle]->address - plans[middle]->skip_bytes <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void refuse(struct patch_plan *plan, enum plan_reason reason)
{
    plan->mode = PLAN_REFUSED;
    plan->reason = reason;
}

/* A pointer at `place` leads `offset` bytes behind the function's entry. */
static void note_pointer(struct patch_plan *plan, struct chain *chain, uint64_t place, uint64_t offset)
{
    uint64_t window = plan->skip_bytes;

    if (plan->mode == PLAN_REFUSED)
        return;
    if (offset > window && offset - window < plan->window_bytes) {
        refuse(plan, PLAN_REASON_TABLE_INTO_WINDOW);
        return;
    }
    if (place - chain->place > CHAIN_BYTES)
        *chain = (struct chain){0};
    chain->place = place;
    chain->has_entry |= offset == 0 || offset == window;
    chain->has_label |= offset > window;
    if (chain->has_entry && (chain->has_label || (offset == window && window)))
        refuse(plan, PLAN_REASON_TABLE_TO_ENTRY);
}

static bool holds(const struct patch_plan *plan, uint64_t offset)
{
    uint64_t window_end = (uint64_t)plan->skip_bytes + plan->window_bytes;

    return offset < (plan->function_bytes > window_end ? plan->function_bytes : window_end);
}

/* Without memory for the chains, a table of labels may go unseen: then each pointer is one of its own. */
void plan_check_pointers(struct patch_plan **plans, size_t plan_count, const struct plan_object *object)
{
    struct chain *chains = calloc(plan_count + 1, sizeof(*chains));
    struct chain none = {0};

    for (size_t i = 0; i < object->pointer_count; i++) {
        const struct plan_pointer *pointer = &object->pointers[i];
        uint64_t address = pointer->value + object->bias;
        size_t n = last_before(plans, plan_count, address);
        struct patch_plan *plan = n ? plans[n - 1] : NULL;
        uint64_t offset = plan ? address - (plan->address - plan->skip_bytes) : 0;

        if (plan && holds(plan, offset))
            note_pointer(plan, chains ? &chains[n - 1] : &none, pointer->place, offset);
    }
    free(chains);
}
