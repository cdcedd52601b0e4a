/* How calls end: they return, here or on another thread, or are left, and when their records are given out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/records/chain.h"
#include "preload/records/lane.h"
#include "preload/records/record.h"
#include "preload/records/trampolines.h"

enum {
    CELL = SEGMENT_BLOCK_HEADER_BYTES,
    CHUNKS_OF_DOUBT = 64, /* from so many on, what was never seen to be left is looked at */
    STACK_WORDS = 64,
};

static uint64_t block[128];
static uint8_t *block_address = (uint8_t *)block;
static struct lane lane;
static struct lane other_lane;
static struct hook *hook;
static const void *stack[STACK_WORDS];     /* of the lane's thread */
static const void *elsewhere[STACK_WORDS]; /* of a coroutine */

static void lane_make(struct lane *made)
{
    *made = (struct lane){
        .current = &lane_bottom,
        .chunk = lane_no_chunk,
        .seats = lane_no_chunk,
        .block_ref = &block_address,
        .stack_low = (uintptr_t)stack,
        .stack_high = (uintptr_t)(stack + STACK_WORDS),
    };
}

static int setup(void **state)
{
    (void)state;
    memset(block, 0, sizeof(block));
    memset(stack, 0, sizeof(stack));
    memset(elsewhere, 0, sizeof(elsewhere));
    lane_make(&lane);
    lane_make(&other_lane);
    hot_thread.lane = &lane;
    return 0;
}

static uint64_t word(unsigned number)
{
    return block[CELL / 8 + number];
}

static uint64_t abandoned(void)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        sum += word(CELL_ABANDONED + reason);
    return sum;
}

static struct record *record_of(struct chunk *chunk, unsigned number)
{
    return (struct record *)chunk + number;
}

/* As the trampoline takes a record: a seat, or one of the chunk's. */
static struct record *take_number(struct chunk *chunk, unsigned number)
{
    struct record *record = record_of(chunk, number);

    if (record->place == RECORD_PLACE_SEAT_FREE)
        record->place = RECORD_PLACE_SEAT_TAKEN;
    else
        chunk->free &= ~(UINT64_C(1) << number);
    return record;
}

static void link_at(struct record *record, const void **slot, const void *slot_holds)
{
    record->hook = hook;
    record->return_address = (void *)(uintptr_t)link_at;
    record->sp = (uintptr_t)slot - RECORD_SLOT_ABOVE_SP;
    record->start = 1000;
    record->outer = lane.current;
    lane.current = record;
    *slot = slot_holds;
}

static void fill(struct chunk *chunk)
{
    chunk->free = 0;
}

/* How calls end --------------------------------------------------------------------------------------------------- */

static struct record *begin_call(const void **slot)
{
    struct record *record;

    if (lane.chunk == lane_no_chunk)
        assert_true(chain_find_chunk(&lane));
    record = take_number(lane.chunk, (unsigned)__builtin_ctzll(lane.chunk->free));
    link_at(record, slot, hot_exit_tsc);
    return record;
}

static void test_a_call_is_abandoned_once(void **state)
{
    struct record *record = begin_call(&stack[20]);

    (void)state;
    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++) {
        memset(block, 0, sizeof(block));
        record->state = RECORD_LIVE;
        chain_abandon(&lane, record, reason);
        chain_abandon(&lane, record, (reason + 1) % SEGMENT_ABANDONED_REASONS);
        assert_int_equal(word(CELL_ABANDONED + reason), 1);
        assert_int_equal(abandoned(), 1);
        assert_int_equal(record->state, RECORD_ABANDONED + (int)reason);
    }
    record->state = RECORD_PANICKED;
    chain_abandon(&lane, record, ABANDONED_LONGJMP);
    assert_int_equal(record->state, RECORD_PANICKED);
    assert_ptr_equal(lane.current, record);
}

/* Kept in doubt, until so many are that they are looked at; and for ever, once one has come back. Before that. */
static void test_doubt(void **state)
{
    struct record *record = begin_call(&stack[20]);
    struct chunk *first = lane.chunk;

    if (*state)
        record->state = RECORD_PANICKED; /* in a panic that the program survived by a jump */
    else
        chain_passed_over(&lane, record);
    lane.current = &lane_bottom;
    stack[20] = NULL;
    fill(first);
    for (unsigned i = 1; i < CHUNKS_OF_DOUBT - 1; i++) {
        assert_true(chain_find_chunk(&lane));
        fill(lane.chunk);
    }
    lane.chunk = first;
    assert_true(chain_find_chunk(&lane));
    assert_ptr_not_equal(lane.chunk, first);
    assert_int_equal(first->free, 0);
    fill(lane.chunk);
    lane.chunk = first;
    assert_true(chain_find_chunk(&lane));
    assert_ptr_equal(lane.chunk, first);
    assert_true(first->free == UINT64_C(1) << (record - record_of(first, 0)));
}

static void test_doubt_of_a_panic(void **state)
{
    *state = &lane;
    test_doubt(state);
}

static void test_an_end_unlinks_and_counts_nothing(void **state)
{
    struct record *outer = begin_call(&stack[30]);
    struct record *inner = begin_call(&stack[20]);
    struct record *innermost = begin_call(&elsewhere[10]);

    (void)state;
    chain_finish(&lane, innermost);
    assert_ptr_equal(lane.current, inner);
    chain_finish(&lane, inner);
    assert_ptr_equal(lane.current, outer);
    chain_finish(&lane, outer);
    assert_ptr_equal(lane.current, &lane_bottom);
    assert_int_equal(chunk_used(lane.chunk), 0);
    for (unsigned i = 0; i < CELL_BUCKETS; i++)
        assert_int_equal(word(i), 0);
}

/* What lies deeper on the same stack was left; a coroutine's call is asleep, and what lies further out goes on. */
static void test_an_end_leaves_what_is_further_in(void **state)
{
    struct record *outermost = begin_call(&stack[40]);
    struct record *outer = begin_call(&stack[30]);
    struct record *asleep = begin_call(&elsewhere[10]);
    struct record *same = begin_call(&stack[30]);
    struct record *inner = begin_call(&stack[29]);

    (void)state;
    chain_finish(&lane, outer);
    assert_int_equal(inner->state, RECORD_ABANDONED + ABANDONED_LONGJMP);
    assert_int_equal(abandoned(), 1);
    assert_ptr_equal(lane.current, same);
    assert_ptr_equal(same->outer, asleep);
    assert_ptr_equal(asleep->outer, outermost);
    assert_int_equal(asleep->state, RECORD_LIVE);
    assert_int_equal(outermost->state, RECORD_LIVE);
    assert_int_equal(same->state, RECORD_LIVE);
}

/* A call that was never linked to this lane leaves its records alone. */
static void test_an_end_on_another_thread(void **state)
{
    struct record *away = begin_call(&elsewhere[30]);
    struct chunk *chunk = lane.chunk;
    struct record *here;

    (void)state;
    hot_thread.lane = &other_lane;
    assert_true(chain_find_chunk(&other_lane));
    here = take_number(other_lane.chunk, 1);
    here->hook = hook;
    here->sp = (uintptr_t)&stack[5] - RECORD_SLOT_ABOVE_SP;
    here->outer = &lane_bottom;
    other_lane.current = here;
    chain_finish(&other_lane, away);
    assert_ptr_equal(other_lane.current, here);
    assert_int_equal(here->state, RECORD_LIVE);
    assert_int_equal(away->state, RECORD_FINISHED);
    assert_true(chunk->remote == UINT64_C(1) << (away - record_of(chunk, 0)));
    assert_null(record_at((uintptr_t)away));
    assert_ptr_equal(lane.current, away); /* its own thread unlinks it */
    fill(chunk);
    assert_true(chain_find_chunk(&lane));
    assert_ptr_equal(lane.chunk, chunk);
    assert_ptr_equal(lane.current, &lane_bottom);
    assert_int_equal(chunk->remote, 0);
    assert_true(chunk->free == UINT64_C(1) << (away - record_of(chunk, 0)));
    assert_int_equal(away->state, RECORD_LIVE);
}

/* What is found. */
static void test_which_call_ends(void **state)
{
    struct record *outer = begin_call(&stack[30]);
    struct record *dead = begin_call(&stack[20]);
    struct record *inner = begin_call(&stack[20]);

    (void)state;
    chain_abandon(&lane, inner, ABANDONED_LONGJMP);
    assert_ptr_equal(chain_find_record((uintptr_t)outer, (uintptr_t)&stack[30]), outer);
    assert_ptr_equal(chain_find_record((uintptr_t)inner, (uintptr_t)&stack[20]), inner); /* it returns after all */
    assert_ptr_equal(chain_find_record(0, (uintptr_t)&stack[30]), outer);
    assert_ptr_equal(chain_find_record((uintptr_t)outer, (uintptr_t)&stack[20]), dead);  /* the live one at the slot */
    assert_ptr_equal(chain_find_record((uintptr_t)outer, (uintptr_t)&stack[21]), outer); /* by rbx, for want of it */
    assert_null(chain_find_record(0, (uintptr_t)&stack[21]));
    inner->state = RECORD_ABANDONED | RECORD_LEFT;
    chain_find_record((uintptr_t)inner, (uintptr_t)&stack[20]);
    assert_int_equal(inner->state, RECORD_ABANDONED); /* it is about to end, and is not taken for dead meanwhile */
}

/* Calls that are left ---------------------------------------------------------------------------------------------- */

/* true: the record can be given out again. */
static bool is_collected(const struct record *record)
{
    struct chunk *chunk = lane.chunk;
    uint64_t before = chunk->free;
    bool is_free;

    fill(chunk);
    assert_true(chain_find_chunk(&lane));
    is_free = chunk->free >> (record - record_of(chunk, 0)) & 1;
    lane.chunk = chunk;
    chunk->next = chunk;
    chunk->free |= before;
    return is_free;
}

static void test_left_for_certain(void **state)
{
    struct record *kept = begin_call(&stack[20]);
    struct record *dead = begin_call(&stack[21]);
    struct record *doubtful = begin_call(&stack[22]);
    struct record *abroad = begin_call(&elsewhere[20]);
    struct record *abroad_dead = begin_call(&elsewhere[21]);

    (void)state;
    chain_jumped_over(&lane, kept, true);
    chain_jumped_over(&lane, dead, true);
    chain_jumped_over(&lane, doubtful, false);
    chain_jumped_over(&lane, abroad, true);
    chain_jumped_over(&lane, abroad_dead, true);
    assert_int_equal(word(CELL_ABANDONED + ABANDONED_LONGJMP), 5);
    assert_int_equal(dead->state, RECORD_LEFT | (RECORD_ABANDONED + ABANDONED_LONGJMP));
    assert_int_equal(doubtful->state, RECORD_ABANDONED + ABANDONED_LONGJMP);
    lane.current = &lane_bottom;
    stack[21] = stack[22] = elsewhere[21] = NULL;
    assert_false(is_collected(kept));
    assert_true(is_collected(dead) || dead->state == RECORD_LIVE);
    assert_false(is_collected(doubtful));
    assert_false(is_collected(abroad));
    assert_int_equal(abroad_dead->state, RECORD_LIVE);
    assert_int_equal(kept->state, RECORD_LEFT | (RECORD_ABANDONED + ABANDONED_LONGJMP));
    elsewhere[20] = hot_exit_tail_late_clock; /* some other trampoline's */
    assert_false(is_collected(abroad));
    elsewhere[20] = hot_exit_tail_late_clock + 1;
    assert_true(is_collected(abroad));
}

/* A stack that is not there any more. */
static void test_left_on_memory_that_is_gone(void **state)
{
    const void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct record *record = begin_call(&page[3]);

    (void)state;
    chain_jumped_over(&lane, record, true);
    lane.current = &lane_bottom;
    assert_false(is_collected(record));
    munmap(page, 4096);
    assert_true(is_collected(record));
}

/* Two calls from one slot: the later one shows that the first was left, unless it is the first one's tail call. */
static void test_called_anew(void **state)
{
    struct record *first = begin_call(&stack[20]);
    struct record *second = begin_call(&stack[20]);

    (void)state;
    chain_jumped_over(&lane, first, true);
    lane.current = second;
    second->outer = &lane_bottom;
    assert_false(is_collected(first)); /* as late as the first */
    second->start = first->start - 1;
    assert_false(is_collected(first));
    second->start = first->start + 1;
    second->return_address = (void *)(uintptr_t)hot_exit_tail_tsc;
    assert_false(is_collected(first));
    second->return_address = (void *)(uintptr_t)link_at;
    second->sp += 8;
    assert_false(is_collected(first));
    second->sp -= 8;
    assert_true(is_collected(first));
}

static void check_thread_gone(struct record *record)
{
    assert_int_equal(record->state, RECORD_LEFT | (RECORD_ABANDONED + ABANDONED_THREAD_EXIT));
}

static void test_thread_gone(void **state)
{
    struct record *in_seat;
    struct record *in_first = begin_call(&stack[20]);
    struct record *in_second;
    struct chunk *first = lane.chunk;
    struct record *panicked = begin_call(&stack[19]);
    uint64_t free;

    (void)state;
    lane.seats = chunk_claim(&lane, true);
    in_seat = take_number(lane.seats, 63);
    link_at(in_seat, &stack[18], hot_exit_tsc);
    free = first->free;
    fill(first);
    for (unsigned i = 1; i <= CHUNK_RECORDS; i++)
        record_of(lane.seats, i)->place = RECORD_PLACE_SEAT_TAKEN;
    assert_true(chain_find_chunk(&lane));
    first->free = free;
    in_second = begin_call(&stack[17]);
    assert_ptr_not_equal(lane.chunk, first);
    panicked->state = RECORD_PANICKED;
    chain_thread_gone(&lane);
    assert_ptr_equal(lane.current, &lane_bottom);
    assert_int_equal(word(CELL_ABANDONED + ABANDONED_THREAD_EXIT), 3);
    assert_int_equal(abandoned(), 3);
    check_thread_gone(in_seat);
    check_thread_gone(in_first);
    check_thread_gone(in_second);
    assert_int_equal(panicked->state, RECORD_PANICKED | RECORD_LEFT);
    assert_int_equal(record_of(first, 60)->state, RECORD_LIVE); /* free: it is nobody's */
}

static void test_thread_gone_without_calls(void **state)
{
    (void)state;
    chain_thread_gone(&lane);
    assert_ptr_equal(lane.current, &lane_bottom);
    assert_int_equal(abandoned(), 0);
}

/* Calls that come back ----------------------------------------------------------------------------------------------
 */

static void test_what_was_counted_is_taken_back(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++) {
        struct record *record = begin_call(&stack[20]);

        chain_abandon(&lane, record, reason);
        if (reason % 2)
            record->state |= RECORD_LEFT;
        assert_int_equal(word(CELL_ABANDONED + reason), 1);
        lane.current = &lane_bottom;
        chain_finish(&lane, record);
        assert_int_equal(abandoned(), 0);
        assert_int_equal(chunk_used(lane.chunk), 0);
    }
}

/* It was left by mistake, and says nothing of what is in progress. */
static void test_who_comes_back_leaves_nobody(void **state)
{
    struct record *record = begin_call(&stack[40]);
    struct record *other;

    (void)state;
    chain_abandon(&lane, record, ABANDONED_LONGJMP);
    lane.current = &lane_bottom;
    other = begin_call(&stack[30]);
    chain_finish(&lane, record);
    assert_int_equal(other->state, RECORD_LIVE);
    assert_ptr_equal(lane.current, other);
    assert_int_equal(abandoned(), 0);
}

static void test_so_is_a_panic(void **state)
{
    struct record *record = begin_call(&stack[20]);

    (void)state;
    record->state = RECORD_PANICKED;
    block[CELL / 8 + CELL_PANIC] = 1;
    chain_finish(&lane, record);
    assert_int_equal(word(CELL_PANIC), 0);
    assert_int_equal(abandoned(), 0);
}

/* From here on nothing proves that a call is dead but that it was seen to be left. */
static void test_no_doubt_is_given_up_then(void **state)
{
    struct record *record = begin_call(&stack[20]);
    struct chunk *first = lane.chunk;

    (void)state;
    chain_passed_over(&lane, record);
    assert_int_equal(record->state, RECORD_ABANDONED + ABANDONED_LONGJMP);
    lane.current = &lane_bottom;
    stack[20] = NULL;
    fill(first);
    for (unsigned i = 1; i <= CHUNKS_OF_DOUBT; i++) {
        assert_true(chain_find_chunk(&lane));
        fill(lane.chunk);
    }
    lane.chunk = first;
    assert_true(chain_find_chunk(&lane));
    assert_ptr_not_equal(lane.chunk, first);
    assert_int_equal(first->free, 0);
}

/* Last: it lasts. */
static void test_stacks_that_are_copied(void **state)
{
    static const char *const others[] = {"/usr/lib/greenlet/other.so", "/greenlet", "greenle", "/opt/green/let.so", ""};
    struct record *record;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(others) / sizeof(*others); i++) {
        if (i == 1)
            continue; /* the one below */
        chain_note_library(others[i]);
        record = begin_call(&stack[20]);
        chain_passed_over(&lane, record);
        if (record->state != RECORD_ABANDONED + ABANDONED_LONGJMP)
            fail_msg("%s is taken for a library that copies stacks", others[i]);
        lane.current = &lane_bottom;
    }
    chain_note_library("/usr/lib/_greenlet.cpython-311-x86_64-linux-gnu.so");
    record = begin_call(&stack[20]);
    chain_passed_over(&lane, record);
    assert_int_equal(record->state, RECORD_LIVE);
    chain_jumped_over(&lane, record, true);
    assert_int_equal(record->state, RECORD_ABANDONED + ABANDONED_LONGJMP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_call_is_abandoned_once, setup),
        cmocka_unit_test_setup(test_doubt, setup),
        cmocka_unit_test_setup(test_doubt_of_a_panic, setup),
        cmocka_unit_test_setup(test_an_end_unlinks_and_counts_nothing, setup),
        cmocka_unit_test_setup(test_an_end_leaves_what_is_further_in, setup),
        cmocka_unit_test_setup(test_an_end_on_another_thread, setup),
        cmocka_unit_test_setup(test_which_call_ends, setup),
        cmocka_unit_test_setup(test_left_for_certain, setup),
        cmocka_unit_test_setup(test_left_on_memory_that_is_gone, setup),
        cmocka_unit_test_setup(test_called_anew, setup),
        cmocka_unit_test_setup(test_thread_gone, setup),
        cmocka_unit_test_setup(test_thread_gone_without_calls, setup),
        cmocka_unit_test_setup(test_what_was_counted_is_taken_back, setup),
        cmocka_unit_test_setup(test_so_is_a_panic, setup),
        cmocka_unit_test_setup(test_who_comes_back_leaves_nobody, setup),
        cmocka_unit_test_setup(test_no_doubt_is_given_up_then, setup),
        cmocka_unit_test_setup(test_stacks_that_are_copied, setup),
    };

    hook = calloc(1, sizeof(*hook) + 8);
    if (!hook)
        return 1;
    hook->cell = hook->home = CELL;
    records_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
