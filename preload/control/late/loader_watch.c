#include "preload/control/late/loader_watch.h"

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "preload/control/objects/span.h"
#include "preload/control/patching/near.h"
#include "preload/control/patching/patch.h"
#include "preload/control/tracking/track_build.h"

#define RET 0xc3

enum {
    ENDBR_BYTES = 4,
    LOOK_BYTES = 16,
    GATE_BYTES = 14,
};

/* Bytes of the nop at `code`, as compilers and assemblers pad with; 0: it is none. */
static unsigned nop_bytes(const uint8_t *code)
{
    static const uint8_t behind_modrm[] = {[0x00] = 0, [0x40] = 1, [0x44] = 2, [0x80] = 4, [0x84] = 5};
    unsigned at = 0;

    while (code[at] == 0x66 || code[at] == 0x2e) /* prefixes: operand size, cs */
        at++;
    if (code[at] == 0x90 || (at == 0 && code[at] == 0xcc)) /* nop, int3 */
        return at + 1;
    if (code[at] != 0x0f || code[at + 1] != 0x1f) /* nop r/m */
        return 0;
    if (code[at + 2] >= sizeof(behind_modrm) || (code[at + 2] && !behind_modrm[code[at + 2]]))
        return 0;
    return at + 3 + behind_modrm[code[at + 2]];
}

/* Where the jump goes, if `code` is the function as glibc has it. */
static uint8_t *find_window(uint8_t *code)
{
    static const uint8_t endbr[ENDBR_BYTES] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint8_t *window = memcmp(code, endbr, sizeof(endbr)) == 0 ? code + ENDBR_BYTES : code;
    unsigned room = 1;

    if (*window != RET)
        return NULL;
    while (room < PLAN_JUMP_BYTES) {
        unsigned bytes = nop_bytes(window + room);

        if (bytes == 0)
            return NULL;
        room += bytes;
    }
    return window;
}

/* Within reach of ld.so: jmp *0(%rip), and the address. */
static uint8_t *make_gate(const struct shim *shim, const struct span *loader, void (*changed)(void))
{
    uint8_t *gate;
    uint64_t address = (uint64_t)(uintptr_t)changed;

    if (near_map(loader->low, loader->high, GATE_BYTES, &gate) != 0)
        return NULL;
    memcpy(gate, "\xff\x25\0\0\0\0", GATE_BYTES - sizeof(address));
    memcpy(gate + GATE_BYTES - sizeof(address), &address, sizeof(address));
    return near_seal(shim, gate, GATE_BYTES) == 0 ? gate : NULL;
}

bool loader_watch_begin(const struct shim *shim, void (*changed)(void), char *text, size_t text_bytes)
{
    struct patch_plan plan = {.window_bytes = PLAN_JUMP_BYTES, .instruction_count = 1};
    struct patch patch = {.plan = &plan};
    uintptr_t told = span_debug()->r_brk;
    struct span loader;

    if (!told || span_find(told, &loader) != 0 || loader.high - told < LOOK_BYTES) {
        snprintf(text, text_bytes, "it does not say where it tells of them");
        return false;
    }
    patch.window = find_window((uint8_t *)told);
    if (!patch.window) {
        snprintf(text, text_bytes, "the function by which it tells of them has been changed (by a debugger?)");
        return false;
    }
    patch.target = make_gate(shim, &loader, changed);
    if (!patch.target) {
        snprintf(text, text_bytes, "there is no executable memory within its reach");
        return false;
    }
    plan.address = (uintptr_t)patch.window;
    plan.original[0] = RET;
    patch_apply(&patch, 1, track_has_threads());
    if (patch.result != 0)
        patch_explain(patch.result, text, text_bytes);
    return patch.result == 0;
}
