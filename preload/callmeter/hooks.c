#include "preload/callmeter/hooks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static size_t align(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static size_t tests_bytes(const struct condition *condition)
{
    return condition->count * sizeof(*condition->tests);
}

size_t hook_bytes(const struct manifest_function *function)
{
    return align(sizeof(struct hook) + (function->bucket_count + 1) * sizeof(uint64_t)) +
           align(tests_bytes(&function->error_when) + tests_bytes(&function->throttled_when));
}

int hook_arena_init(struct hook_arena *arena, size_t bytes)
{
    void *memory = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *arena = (struct hook_arena){.memory = memory, .bytes = bytes + 1};
    return 0;
}

void hook_arena_seal(struct hook_arena *arena)
{
    mprotect(arena->memory, arena->bytes, PROT_READ);
}

static void *take(struct hook_arena *arena, size_t bytes)
{
    void *memory = arena->memory + arena->used;

    arena->used += align(bytes);
    return memory;
}

static uint64_t source_mask(uint16_t source)
{
    switch (source) {
    case CONDITION_RET8:
        return UINT8_MAX;
    case CONDITION_RET32:
        return UINT32_MAX;
    default:
        return UINT64_MAX;
    }
}

/* One range of the integer result is what most conditions are: the trampoline judges those itself. */
static void judge_by_range(struct hook *hook, const struct condition *error)
{
    hook->words[0] = CELL_SUCCESS * 8;
    hook->words[1] = CELL_SUCCESS * 8;
    if (error->count == 0)
        return; /* mask and span 0: every result is in range */
    hook->flags |= HOOK_FLAG_RANGE;
    hook->mask = source_mask(error->tests[0].source);
    hook->low = error->tests[0].low & hook->mask;
    hook->span = error->tests[0].span & hook->mask;
    hook->words[error->tests[0].on_true == CONDITION_TRUE ? 0 : 1] = CELL_ERROR * 8;
}

static bool is_one_range(const struct manifest_function *function)
{
    const struct condition *error = &function->error_when;

    if (function->throttled_when.count > 0 || error->count > 1)
        return false;
    return error->count == 0 || error->tests[0].source <= CONDITION_RET64;
}

static void copy_tests(struct condition_test *tests, const struct condition *from, struct condition *ret_to)
{
    if (from->count > 0)
        memcpy(tests, from->tests, tests_bytes(from));
    *ret_to = (struct condition){tests, from->count};
}

static void set_buckets(struct hook *hook, const struct manifest_function *function, const struct clock *clock)
{
    size_t bucket = 0;

    for (size_t i = 0; i < function->bucket_count; i++)
        hook->bounds[i] = clock_ticks(clock, function->buckets[i]);
    hook->bounds[function->bucket_count] = UINT64_MAX;
    for (unsigned bit = 0; bit < 64; bit++) {
        while (hook->bounds[bucket] < (UINT64_C(1) << bit))
            bucket++;
        hook->first_bucket[bit] = bit == 0 ? 0 : (uint8_t)bucket; /* 0 ticks are looked up as 1 */
    }
}

struct hook *hook_create(struct hook_arena *arena, const struct manifest_function *function, const struct clock *clock,
                         uint64_t cell, uint32_t index)
{
    struct hook *hook = take(arena, sizeof(*hook) + (function->bucket_count + 1) * sizeof(uint64_t));
    struct condition_test *tests =
        take(arena, tests_bytes(&function->error_when) + tests_bytes(&function->throttled_when));

    hook->cell = cell;
    hook->index = index;
    copy_tests(tests, &function->throttled_when, &hook->throttled_when);
    copy_tests(tests + function->throttled_when.count, &function->error_when, &hook->error_when);
    if (is_one_range(function))
        judge_by_range(hook, &function->error_when);
    else
        hook->flags |= HOOK_FLAG_JUDGE;
    set_buckets(hook, function, clock);
    return hook;
}
