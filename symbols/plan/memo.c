#include "symbols/plan/memo.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"

enum {
    MEMO_FIRST = 256, /* slots; a power of two */
};

/* What is known of the address `key`; 0: nothing. */
struct memo_answer {
    uint64_t key;
    uint64_t round;
    struct memo_function function;
    bool is_open;
};

struct plan_memo {
    struct memo_answer *answers; /* open addressing */
    size_t capacity;
    size_t count;
    uint64_t round;
    bool is_cut;
    uint64_t *named; /* what memo_next_named looks through */
    size_t named_count;
    size_t named_capacity;
    bool has_named;
};

struct plan_memo *plan_memo_create(void)
{
    struct plan_memo *memo = calloc(1, sizeof(*memo));

    if (memo)
        memo->answers = calloc(MEMO_FIRST, sizeof(*memo->answers));
    if (!memo || !memo->answers) {
        free(memo);
        return NULL;
    }
    memo->capacity = MEMO_FIRST;
    return memo;
}

void plan_memo_destroy(struct plan_memo *memo)
{
    if (!memo)
        return;
    bulk_free(memo->named);
    free(memo->answers);
    free(memo);
}

/* The answer's slot, or the free one where it would be. */
static struct memo_answer *find(const struct plan_memo *memo, uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (memo->capacity - 1);

    while (memo->answers[at].key && memo->answers[at].key != key)
        at = (at + 1) & (memo->capacity - 1);
    return &memo->answers[at];
}

static bool grow(struct plan_memo *memo)
{
    struct plan_memo larger = *memo;

    larger.capacity *= 2;
    larger.answers = calloc(larger.capacity, sizeof(*larger.answers));
    if (!larger.answers)
        return false;
    for (size_t i = 0; i < memo->capacity; i++)
        if (memo->answers[i].key)
            *find(&larger, memo->answers[i].key) = memo->answers[i];
    free(memo->answers);
    *memo = larger;
    return true;
}

bool memo_keep(struct plan_memo *memo, uint64_t address, const struct memo_function *function)
{
    struct memo_answer *answer;

    if (memo->count * 2 >= memo->capacity && !grow(memo))
        return false;
    answer = find(memo, address);
    if (!answer->key)
        memo->count++;
    *answer = (struct memo_answer){.key = address, .round = memo->round, .function = *function};
    return true;
}

bool memo_find(const struct plan_memo *memo, uint64_t address, struct memo_function *ret_function)
{
    const struct memo_answer *answer = find(memo, address);

    if (!answer->key || answer->is_open)
        return false;
    *ret_function = answer->function;
    return true;
}

void memo_begin(struct plan_memo *memo)
{
    memo->round++;
    memo->is_cut = false;
}

void memo_cut(struct plan_memo *memo)
{
    memo->is_cut = true;
}

void memo_end(struct plan_memo *memo, bool has_found)
{
    for (size_t i = 0; (has_found || memo->is_cut) && i < memo->capacity; i++)
        if (memo->answers[i].round == memo->round && memo->answers[i].function.tail == PLAN_REASON_NONE)
            memo->answers[i].is_open = true;
}

static bool add_named(struct plan_memo *memo, uint64_t address)
{
    uint64_t *named = bulk_grow(memo->named, memo->named_count, &memo->named_capacity, 4096, sizeof(*named));

    if (!named)
        return false;
    memo->named = named;
    memo->named[memo->named_count++] = address;
    return true;
}

/* Every byte may begin a `lea` of an address relative to rip: what merely looks like one names some place at random. */
static void read_named(struct plan_memo *memo, const uint8_t *code, size_t bytes, uint64_t address)
{
    for (size_t at = 0; at + 7 <= bytes; at++) {
        int32_t relative;

        if ((code[at] & 0xFB) != 0x48 || code[at + 1] != 0x8D || (code[at + 2] & 0xC7) != 0x05)
            continue;
        memcpy(&relative, code + at + 3, sizeof(relative));
        if (!add_named(memo, address + at + 7 + (uint64_t)(int64_t)relative))
            return;
    }
}

static void read_all_named(const struct plan_object *object)
{
    const uint8_t *code;
    size_t bytes = 0;

    for (uint64_t at = object->code_start; at < object->code_end; at += bytes) {
        code = object->bytes_at(object->context, at, &bytes);
        if (!code || !bytes)
            return;
        if (bytes > object->code_end - at)
            bytes = (size_t)(object->code_end - at);
        read_named(object->memo, code, bytes, at);
    }
}

uint64_t memo_next_named(const struct plan_object *object, uint64_t address, uint64_t limit)
{
    struct plan_memo *memo = object->memo;

    if (!memo->has_named)
        read_all_named(object);
    memo->has_named = true;
    for (size_t i = 0; i < memo->named_count; i++)
        if (memo->named[i] > address && memo->named[i] < limit)
            limit = memo->named[i];
    return limit;
}
