#include "preload/control/patching/live_window.h"

#include <stdint.h>

#define JUMP      0xe9   /* jmp rel32 */
#define SELF_JUMP 0xfeeb /* jmp to itself: eb fe */
#define TRAP      0xcc   /* int3 */
#define WORD      8

enum way {
    WAY_STORE, /* the whole jump at once */
    WAY_SPIN,
    WAY_TRAP,
};

static uint8_t jump_byte(const struct patch *patch, unsigned i)
{
    int32_t distance = (int32_t)(patch->target - (patch->window + PLAN_JUMP_BYTES));

    return i == 0 ? JUMP : (uint8_t)((uint32_t)distance >> ((i - 1) * 8));
}

/* The first instruction's end; a thread may stand there. */
static unsigned first_end(const struct patch *patch)
{
    return patch->plan->instruction_count > 1 ? patch->plan->instructions[1].offset : PLAN_JUMP_BYTES;
}

bool live_window_has_inside(const struct patch *patch)
{
    return first_end(patch) < PLAN_JUMP_BYTES;
}

bool live_window_has_call(const struct patch *patch)
{
    for (unsigned i = 0; i < patch->plan->instruction_count; i++) {
        const uint8_t *code = patch->plan->original + patch->plan->instructions[i].offset;

        if (patch->plan->instructions[i].offset < PLAN_JUMP_BYTES &&
            ((code[0] == 0x0f && (code[1] == 0x05 || code[1] == 0x34)) || code[0] == 0xcd)) /* syscall, sysenter, int */
            return true;
    }
    return false;
}

static enum way way_of(const struct patch *patch)
{
    if ((uintptr_t)patch->window % WORD + PLAN_JUMP_BYTES <= WORD && !live_window_has_inside(patch))
        return WAY_STORE;
    /* Two bytes in two words are not seen at once everywhere. */
    return first_end(patch) == 1 || (uintptr_t)patch->window % WORD == WORD - 1 ? WAY_TRAP : WAY_SPIN;
}

bool live_window_needs_trap(const struct patch *patch)
{
    return way_of(patch) == WAY_TRAP;
}

static void store_whole(const struct patch *patch)
{
    uint64_t *word = (uint64_t *)((uintptr_t)patch->window & ~(uintptr_t)(WORD - 1));
    unsigned shift = (unsigned)((uintptr_t)patch->window % WORD) * 8;
    uint64_t value = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < PLAN_JUMP_BYTES; i++) {
        value &= ~(UINT64_C(0xff) << (shift + 8 * i));
        value |= (uint64_t)jump_byte(patch, i) << (shift + 8 * i);
    }
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void store_byte(const struct patch *patch, unsigned i, uint8_t byte)
{
    *(volatile uint8_t *)&patch->window[i] = byte;
}

static void store_two(const struct patch *patch, unsigned bytes)
{
    *(volatile uint16_t *)patch->window = (uint16_t)bytes;
}

void live_window_close(const struct patch *patch)
{
    enum way way = way_of(patch);

    if (way == WAY_STORE)
        store_whole(patch);
    else if (way == WAY_TRAP)
        store_byte(patch, 0, TRAP);
    else
        store_two(patch, SELF_JUMP);
}

void live_window_fill(const struct patch *patch)
{
    enum way way = way_of(patch);

    for (unsigned i = way == WAY_TRAP ? 1 : 2; i < PLAN_JUMP_BYTES && way != WAY_STORE; i++)
        store_byte(patch, i, jump_byte(patch, i));
}

void live_window_admit(const struct patch *patch)
{
    enum way way = way_of(patch);

    if (way == WAY_TRAP)
        store_byte(patch, 0, jump_byte(patch, 0));
    else if (way == WAY_SPIN)
        store_two(patch, jump_byte(patch, 0) | (unsigned)jump_byte(patch, 1) << 8);
}

void live_window_give_back(const struct patch *patch)
{
    const uint8_t *original = patch->plan->original;

    if (live_window_needs_trap(patch))
        store_byte(patch, 0, original[0]);
    else
        store_two(patch, original[0] | (unsigned)original[1] << 8);
}
