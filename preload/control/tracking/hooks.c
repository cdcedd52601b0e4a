#include "preload/control/tracking/hooks.h"

#include <assert.h>
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

size_t hook_variant_bytes(const struct manifest_function *function)
{
    return align(sizeof(struct hook) + (function->bucket_count + 1) * sizeof(uint64_t));
}

size_t hook_bytes(const struct manifest_function *function)
{
    return hook_variant_bytes(function) +
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

void *hook_arena_take(struct hook_arena *arena, size_t bytes)
{
    void *memory = arena->memory + arena->used;

    arena->used += align(bytes);
    assert(arena->used <= arena->bytes);
    return memory;
}

/* The factor that moves the bits that count to the top, where subtraction wraps as their width does. */
static uint64_t source_scale(uint16_t source)
{
    switch (source) {
    case CONDITION_RET8:
        return UINT64_C(1) << 56;
    case CONDITION_RET32:
        return UINT64_C(1) << 32;
    default:
        return 1;
    }
}

/* What is no success by range is asked further: it is an error, or HOOK_FLAG_JUDGE says that more is to be looked at.
 */
static void judge_elsewhere(struct hook *hook)
{
    hook->flags |= HOOK_FLAG_JUDGE;
    hook->scale = 0;
    hook->low = 1;
    hook->span = 0;
}

/* One range of the integer result is what most conditions are: the trampoline judges those itself. Success is what lies
 * within; so where the condition's range is the errors', the rest of the circle is taken. */
static void judge_by_range(struct hook *hook, const struct condition *error)
{
    const struct condition_test *test = error->tests;
    uint64_t last;

    if (error->count == 0)
        return; /* all zero: every result is in range */
    hook->scale = source_scale(test->source);
    last = (test->low + test->span) * hook->scale;
    if (test->on_true != CONDITION_TRUE) {
        hook->low = test->low * hook->scale;
        hook->span = test->span * hook->scale;
    } else if (last + hook->scale == test->low * hook->scale) {
        judge_elsewhere(hook); /* no result is a success */
    } else {
        hook->low = last + hook->scale;
        hook->span = test->low * hook->scale - hook->scale - hook->low;
    }
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

struct hook *hook_create(struct hook_arena *arena, const struct hook_config *config)
{
    const struct manifest_function *function = config->function;
    struct hook *hook = hook_arena_take(arena, hook_variant_bytes(function));
    struct condition_test *tests =
        hook_arena_take(arena, tests_bytes(&function->error_when) + tests_bytes(&function->throttled_when));

    hook->cell = config->cell;
    hook->home = config->home;
    hook->index = config->index;
    hook->seat = hot_seat(config->index);
    hook->flags = config->flags;
    hook->extra = config->extra;
    copy_tests(tests, &function->throttled_when, &hook->throttled_when);
    copy_tests(tests + function->throttled_when.count, &function->error_when, &hook->error_when);
    if (is_one_range(function) && !(hook->flags & HOOK_FLAG_JUDGE))
        judge_by_range(hook, &function->error_when);
    else
        judge_elsewhere(hook);
    set_buckets(hook, function, config->clock);
    return hook;
}
