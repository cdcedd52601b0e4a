/* Which function an address in a stub belongs to: a program counter there is mapped back to the original's code, so
 * that unwinding tables and symbols fit. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_STUB_MAP_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_STUB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/signals/relocated.h"
#include "symbols/plan/plan.h"

struct stub;

/* One stub: [start, original) is its own code, [original, end) the relocated instructions and the jump back. */
struct stub_range {
    uintptr_t start;
    uintptr_t original;
    uintptr_t end;
    uintptr_t window; /* address of the window in the function; the function begins skip_bytes before */
    uint8_t skip_bytes;
    uint8_t window_bytes;
    uint8_t instruction_count;
    uint8_t offsets[PLAN_WINDOW_INSTRUCTIONS_MAX];   /* of the instructions in the window */
    uint8_t relocated[PLAN_WINDOW_INSTRUCTIONS_MAX]; /* and in the copy */
};

/* Never freed: a call may be on its way in a stub as long as the process lives. */
struct stub_map {
    struct stub_map *_Atomic next; /* of a library that was loaded later, or NULL */
    struct stub_range *ranges;     /* sorted by start, once stub_map_seal was called */
    size_t count;
    size_t capacity;
};

/* Makes room for so many stubs. -ENOMEM. Context: startup. */
int stub_map_init(struct stub_map *map, size_t capacity);

/* Context: startup. */
void stub_map_add(struct stub_map *map, const struct patch_plan *plan, const uint8_t *start, const struct stub *stub);

/* Sorts; addresses can be looked up from now on. Context: startup. */
void stub_map_seal(struct stub_map *map);

/* Makes a lookup in the first map go on in another one, which stays. Context: startup, or in a call of dlopen. */
void stub_map_append(struct stub_map *first, struct stub_map *map);

/* If registers->pc is in a stub: sets the registers to what they would be in the unpatched function. In the stub's own
 * code that is the function's first instruction. Context: signal. */
bool stub_map_back(const struct stub_map *map, struct relocated_registers *registers);

/* If *pc is the first byte of an instruction that has a copy in the stub which `stub_pc` is in: sets it to the copy's.
 * Context: signal. */
bool stub_map_forth(const struct stub_map *map, uintptr_t stub_pc, uintptr_t *pc);

#endif
