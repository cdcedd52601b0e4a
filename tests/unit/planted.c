#include "planted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "preload/calls/ticks.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/records/trampolines.h"

enum {
    ARENA_BYTES = 65536,
};

struct lane planted_lane;

/* For the stub and its original. */
const struct hook *planted_hook;
uint64_t planted_result;

static uint64_t script[2]; /* what the clock says, in turn */
static unsigned readings;
static uint8_t *block;
static struct hook_arena arena;

static uint64_t scripted_now(void)
{
    return script[readings++ & 1];
}

uint64_t planted_stub(void);
void planted_original(void);

/* As a stub that the patcher writes (control/patching/x86_64/stub.c). */
__asm__(".text\n"
        ".globl planted_stub\n"
        ".hidden planted_stub\n"
        ".type planted_stub, @function\n"
        "planted_stub:\n"
        "push %rbx\n"
        "mov planted_hook(%rip), %rbx\n"
        "jmp hot_entry_clock\n"
        ".size planted_stub, . - planted_stub\n"
        ".type planted_original, @function\n"
        "planted_original:\n"
        "mov planted_result(%rip), %rax\n"
        "ret\n"
        ".size planted_original, . - planted_original\n");

struct hook *planted_hook_make(const struct manifest_function *function, const struct clock *clock, uint32_t flags)
{
    struct hook_config config = {
        .function = function, .clock = clock, .cell = PLANTED_CELL, .home = PLANTED_CELL, .flags = flags};
    struct hook *hook;

    arena.used = 0;
    memset(arena.memory, 0, arena.bytes);
    hook = hook_create(&arena, &config);
    hook->original = (void *)planted_original;
    return hook;
}

void planted_call(const struct hook *hook, uint64_t begin, uint64_t end, uint64_t result)
{
    script[0] = begin;
    script[1] = end;
    readings = 0;
    planted_hook = hook;
    planted_result = result;
    assert_true(planted_stub() == result);
    assert_int_equal(readings, 2);
}

uint64_t planted_word(unsigned word)
{
    return ((uint64_t *)(block + PLANTED_CELL))[word];
}

void planted_clear(void)
{
    memset(block, 0, PLANTED_BLOCK_BYTES);
}

int planted_setup(void **state)
{
    struct chunk *seats = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);

    (void)state;
    block = aligned_alloc(64, PLANTED_BLOCK_BYTES);
    assert_non_null(seats);
    assert_non_null(block);
    planted_clear();
    memset(seats, 0, CHUNK_BYTES);
    for (size_t i = 1; i <= CHUNK_RECORDS; i++)
        ((struct record *)seats)[i].place = RECORD_PLACE_SEAT_FREE;
    seats->lane = &planted_lane;
    planted_lane = (struct lane){.current = &lane_bottom, .chunk = seats, .seats = seats, .block_ref = &block};
    assert_int_equal(trampolines_bind((char *)&hot_thread - (char *)cpu_thread_pointer()), 0);
    hot_thread = (struct hot_thread){&planted_lane, &block, seats, &planted_lane};
    ticks_init(scripted_now);
    return hook_arena_init(&arena, ARENA_BYTES);
}
