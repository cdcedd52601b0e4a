/* What a caller finds in its registers behind a tracked call, whichever way the trampoline goes: what it had there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "planted.h"
#include "preload/calls/ticks.h"
#include "preload/records/lane.h"
#include "preload/records/record.h"
#include "preload/records/trampolines.h"

extern const struct hook *planted_hook;
extern uint64_t planted_result;

/* Bits of the registers that a call through the planted stub has changed. */
uint64_t registers_changed(void);
void registers_original(void);

#define REGISTERS(do)                                                                                                  \
    do                                                                                                                 \
    (rcx, 1) do(rdx, 2) do(rsi, 4) do(rdi, 8) do(r8, 16) do(r9, 32) do(r10, 64) do(r11, 128)
#define SET(name, bit)   "mov $0x5500" #bit ", %" #name "\n"
#define CHECK(name, bit) "cmp $0x5500" #bit ", %" #name "\nje 1f\nor $" #bit ", %eax\n1:\n"

/* The original returns 0, and changes nothing else. */
__asm__(".text\n"
        ".type registers_changed, @function\n"
        "registers_changed:\n"
        "sub $8, %rsp\n" REGISTERS(SET) "call planted_stub\n" REGISTERS(
            CHECK) "add $8, %rsp\n"
                   "ret\n"
                   ".size registers_changed, . - registers_changed\n"
                   ".type registers_original, @function\n"
                   "registers_original:\n"
                   "xor %eax, %eax\n"
                   "ret\n"
                   ".size registers_original, . - registers_original\n");

/* As a clock of C may. */
static uint64_t spoiling_clock(void)
{
    __asm__ volatile("mov $-1, %%rcx\n\tmov $-1, %%rdx\n\tmov $-1, %%rsi\n\tmov $-1, %%rdi\n\tmov $-1, %%r8\n\t"
                     "mov $-1, %%r9\n\tmov $-1, %%r10\n\tmov $-1, %%r11"
                     :
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
    return 1;
}

static struct hook *make_hook(uint32_t flags)
{
    static const struct clock clock = {.seconds_per_tick = 1e-09};
    static const struct manifest_function function;
    struct hook *hook = planted_hook_make(&function, &clock, flags);

    hook->original = (void *)registers_original;
    planted_hook = hook;
    ticks_init(spoiling_clock);
    return hook;
}

static void check_call(void)
{
    assert_int_equal(registers_changed(), 0);
    assert_ptr_equal(planted_lane.current, &lane_bottom);
    assert_int_equal(planted_word(CELL_STARTED), 1);
    assert_int_equal(planted_word(CELL_SUCCESS), 1);
    planted_clear();
}

static void the_usual_way(void **state)
{
    (void)state;
    make_hook(0);
    check_call();
}

static void where_c_is_asked_for_the_outcome(void **state)
{
    struct hook *hook = make_hook(HOOK_FLAG_JUDGE);

    (void)state;
    hook->scale = 0;
    hook->low = 1; /* never within the range */
    hook->span = 0;
    check_call();
}

/* The clock stands still: an end that lies before the beginning, and one in a later bucket, are in test_buckets. */
static void where_the_seat_is_taken(void **state)
{
    struct hook *hook = make_hook(0);
    struct record *seat = (struct record *)((uint8_t *)planted_lane.seats + hook->seat);
    struct chunk *chunk;

    (void)state;
    seat->place = RECORD_PLACE_SEAT_TAKEN;
    seat->state = RECORD_LIVE;
    check_call(); /* there is no chunk yet */
    chunk = planted_lane.chunk;
    assert_ptr_not_equal(chunk, planted_lane.seats);
    assert_true(chunk->free == ~UINT64_C(1));
    check_call();
    assert_true(chunk->free == ~UINT64_C(1));
    assert_int_equal(seat->place, RECORD_PLACE_SEAT_TAKEN);
    seat->place = RECORD_PLACE_SEAT_FREE;
}

/* A call further in that was left: its slot lies below. */
static void where_a_call_was_left(void **state)
{
    struct hook *hook = make_hook(0);
    struct record *left = (struct record *)planted_lane.chunk + 7;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    (void)state;
    planted_lane.stack_low = here - 65536;
    planted_lane.stack_high = here + 4096;
    planted_lane.chunk->free &= ~record_bit(left);
    *left = (struct record){.hook = hook, .sp = here - 32768, .outer = &lane_bottom, .place = RECORD_PLACE_POOL};
    planted_lane.current = left;
    assert_int_equal(registers_changed(), 0);
    assert_ptr_equal(planted_lane.current, &lane_bottom);
    assert_int_equal(planted_word(CELL_ABANDONED + ABANDONED_LONGJMP), 1);
    assert_int_equal(planted_word(CELL_SUCCESS), 1);
    assert_int_equal(left->state, RECORD_ABANDONED + ABANDONED_LONGJMP);
    planted_clear();
}

static struct record inner;

/* Leaves a record of a call further in behind. */
void registers_leave(void);
void registers_leave(void)
{
    inner = (struct record){.hook = planted_hook, .sp = planted_lane.current->sp - 4096, .outer = planted_lane.current};
    planted_lane.current = &inner;
}

__asm__(".type registers_leaving, @function\n"
        "registers_leaving:\n"
        "push %rcx\npush %rdx\npush %rsi\npush %rdi\npush %r8\npush %r9\npush %r10\npush %r11\nsub $8, %rsp\n"
        "call registers_leave\n"
        "add $8, %rsp\npop %r11\npop %r10\npop %r9\npop %r8\npop %rdi\npop %rsi\npop %rdx\npop %rcx\n"
        "xor %eax, %eax\n"
        "ret\n"
        ".size registers_leaving, . - registers_leaving\n");
void registers_leaving(void);

static void where_the_call_is_not_the_innermost(void **state)
{
    (void)state;
    make_hook(0)->original = (void *)registers_leaving;
    assert_int_equal(registers_changed(), 0);
    assert_ptr_equal(planted_lane.current, &lane_bottom);
    assert_int_equal(inner.state, RECORD_ABANDONED + ABANDONED_LONGJMP);
    assert_int_equal(planted_word(CELL_STARTED), 1);
    assert_int_equal(planted_word(CELL_SUCCESS), 1);
    assert_int_equal(planted_word(CELL_ABANDONED + ABANDONED_LONGJMP), 1);
    planted_clear();
}

static int setup(void **state)
{
    int result = planted_setup(state);

    planted_lane.chunk = lane_no_chunk;
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_way),
        cmocka_unit_test(where_c_is_asked_for_the_outcome),
        cmocka_unit_test(where_the_seat_is_taken),
        cmocka_unit_test(where_a_call_was_left),
        cmocka_unit_test(where_the_call_is_not_the_innermost),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
