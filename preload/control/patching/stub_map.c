#include "preload/control/patching/stub_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/control/memory/safe_read.h"
#include "preload/control/patching/stub.h"

#define WORD_BYTES sizeof(uint64_t)

enum {
    PUSH_LITERAL_BYTES = 6, /* push [rip+disp32] of a relocated call */
};

int stub_map_init(struct stub_map *map, size_t capacity)
{
    void *memory;

    memset(map, 0, sizeof(*map));
    if (capacity == 0)
        return 0;
    memory = mmap(NULL, capacity * sizeof(*map->ranges), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    map->ranges = memory;
    map->capacity = capacity;
    return 0;
}

void stub_map_add(struct stub_map *map, const struct patch_plan *plan, const uint8_t *start, const struct stub *stub)
{
    struct stub_range *range;

    if (map->count == map->capacity)
        return;
    range = &map->ranges[map->count++];
    *range = (struct stub_range){
        .start = (uintptr_t)start,
        .original = (uintptr_t)stub->original,
        .end = (uintptr_t)start + stub->bytes,
        .window = plan->address,
        .skip_bytes = plan->skip_bytes,
        .window_bytes = plan->window_bytes,
        .instruction_count = plan->instruction_count,
    };
    for (size_t i = 0; i < plan->instruction_count; i++) {
        range->offsets[i] = plan->instructions[i].offset;
        range->relocated[i] = stub->offsets[i];
    }
}

static int compare(const void *a, const void *b)
{
    uintptr_t first = ((const struct stub_range *)a)->start;
    uintptr_t second = ((const struct stub_range *)b)->start;

    return (first > second) - (first < second);
}

void stub_map_seal(struct stub_map *map)
{
    qsort(map->ranges, map->count, sizeof(*map->ranges), compare);
}

void stub_map_append(struct stub_map *first, struct stub_map *map)
{
    map->next = first->next;
    first->next = map;
}

static const struct stub_range *find_in(const struct stub_map *map, uintptr_t pc)
{
    size_t low = 0;
    size_t high = map->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (pc < map->ranges[middle].start)
            high = middle;
        else if (pc >= map->ranges[middle].end)
            low = middle + 1;
        else
            return &map->ranges[middle];
    }
    return NULL;
}

static const struct stub_range *find(const struct stub_map *map, uintptr_t pc)
{
    const struct stub_range *range = NULL;

    for (; map && !range; map = map->next)
        range = find_in(map, pc);
    return range;
}

/* True if the instruction at `pc` stands where a register lies on the stack above the return address. The stub's code
 * (x86_64/stub.c) says so itself: only the two pushes, and the jump behind `pop %rbx`, find the stack as the caller
 * left it. `ret_is_rbx`: and rbx is another one's, what lies there is the caller's. */
static bool is_pushed(uintptr_t pc, bool *ret_is_rbx)
{
    uint8_t code[3] = {0};

    *ret_is_rbx = false;
    if (!safe_read(pc - 1, code, sizeof(code)))
        return false;
    if (code[1] == 0x50 || code[1] == 0x53) /* push %rax, push %rbx */
        return false;
    if (code[1] == 0xE9 && code[0] == 0x5B) /* jmp, behind pop %rbx */
        return false;
    *ret_is_rbx = (code[1] == 0x48 && code[2] == 0xBB) || /* movabs $hook, %rbx */
                  (code[1] == 0xFF && code[2] == 0x25) || /* jmp *trampoline */
                  code[1] == 0x5B;                        /* pop %rbx */
    return true;
}

static void back_to_entry(const struct stub_range *range, struct relocated_registers *registers)
{
    bool is_rbx;

    if (is_pushed(registers->pc, &is_rbx)) {
        if (is_rbx)
            safe_read(registers->sp, &registers->rbx, WORD_BYTES);
        registers->sp += WORD_BYTES;
    }
    registers->pc = range->window - range->skip_bytes;
}

/* A relocated call pushes the return address first, and then jumps: there the stack is one word deeper. */
static bool is_behind_push(const struct stub_range *range, size_t instruction, uintptr_t pc)
{
    uintptr_t begin = range->original + range->relocated[instruction];
    uint8_t code[2];

    return pc == begin + PUSH_LITERAL_BYTES && safe_read(begin, code, sizeof(code)) && code[0] == 0xFF &&
           code[1] == 0x35;
}

static void back_to_window(const struct stub_range *range, struct relocated_registers *registers)
{
    uintptr_t offset = registers->pc - range->original;
    size_t i = range->instruction_count;

    while (i > 0 && range->relocated[i - 1] > offset)
        i--;
    if (i == 0) {
        registers->pc = range->window;
        return;
    }
    if (is_behind_push(range, i - 1, registers->pc)) {
        registers->sp += WORD_BYTES;
    } else if (i == range->instruction_count && offset > range->relocated[i - 1]) {
        registers->pc = range->window + range->window_bytes; /* the jump back */
        return;
    }
    registers->pc = range->window + range->offsets[i - 1];
}

bool stub_map_back(const struct stub_map *map, struct relocated_registers *registers)
{
    const struct stub_range *range = find(map, registers->pc);

    if (!range)
        return false;
    if (registers->pc < range->original)
        back_to_entry(range, registers);
    else
        back_to_window(range, registers);
    return true;
}

bool stub_map_forth(const struct stub_map *map, uintptr_t stub_pc, uintptr_t *pc)
{
    const struct stub_range *range = find(map, stub_pc);

    for (size_t i = 0; range && i < range->instruction_count; i++) {
        if (*pc != range->window + range->offsets[i])
            continue;
        *pc = range->original + range->relocated[i];
        return true;
    }
    return false;
}
