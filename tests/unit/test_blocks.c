/* Blocks of counters: whose they are, and what becomes of the calls that a process leaves in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/control/segment/writer.h"
#include "preload/threads/blocks.h"
#include "preload/threads/process_image.h"
#include "preload/threads/reclaim.h"

enum {
    IMAGES = 64,
    VALUES = 3, /* places of tuples */
    VALUES_IN_USE = 2,
    SERIES = 3,      /* timed, counted, with labels */
    CELL_WORDS = 16, /* a cell's 128 bytes */
    CELL_BYTES = CELL_WORDS * 8,
    LABELLED_CELL = SEGMENT_BLOCK_HEADER_BYTES + 2 * CELL_BYTES,
    ENTRY_CELL = LABELLED_CELL + (VALUES + 1) * CELL_BYTES,
    CELLS = 2 + 2 * (VALUES + 1),
};

static struct segment_header *segment;

static uint64_t *word_of(uint8_t *block, uint64_t cell, unsigned word)
{
    return (uint64_t *)(block + cell) + word;
}

static uint32_t index_of(const uint8_t *block)
{
    return (uint32_t)(((uintptr_t)block - (uintptr_t)segment - segment->blocks) / segment->block_bytes);
}

static _Atomic uint64_t *owners(void)
{
    return (_Atomic uint64_t *)((char *)segment + segment->owners);
}

static uint64_t head(uint8_t *block, enum segment_block_word word)
{
    return ((uint64_t *)block)[word];
}

static uint64_t make_values(void)
{
    uint64_t offset = writer_reserve(segment, sizeof(struct segment_values));
    struct segment_values *values = (void *)((char *)segment + offset);

    values->capacity = VALUES;
    values->count = VALUES_IN_USE;
    return offset;
}

static void make_segment(void)
{
    const struct writer_size size = {
        .functions = 1, .series = SERIES, .text_bytes = 4096, .cell_bytes = CELLS * CELL_BYTES};
    struct segment_series series = {.cell = SEGMENT_BLOCK_HEADER_BYTES, .cell_words = CELL_WORDS};

    if (writer_create(&size, 1e-9, -1, &segment) != 0)
        abort();
    writer_add_series(segment, &series);
    series.cell += CELL_BYTES;
    series.has_no_duration = 1;
    writer_add_series(segment, &series);
    series = (struct segment_series){.cell = LABELLED_CELL,
                                     .cell_words = CELL_WORDS,
                                     .values = make_values(),
                                     .entry_cell = ENTRY_CELL,
                                     .entry_cells = VALUES + 1,
                                     .entry_values = make_values()};
    writer_add_series(segment, &series);
    blocks_init(segment, false);
}

static uint8_t *claim(void)
{
    uint8_t *block = blocks_claim(image_owner());

    assert_non_null(block);
    return block;
}

/* Whose they are --------------------------------------------------------------------------------------------------- */

static void each_is_claimed_once(void **state)
{
    uint8_t *blocks[20];

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        blocks[i] = claim();
        /* The first is everybody's. */
        assert_int_equal(index_of(blocks[i]), i + 1);
        assert_int_equal(atomic_load(&owners()[i + 1]), image_owner());
        assert_int_equal(segment->block_count, i + 2);
        assert_int_equal(head(blocks[i], BLOCK_EPOCH), 1);
        assert_int_equal(head(blocks[i], BLOCK_THREAD), syscall(SYS_gettid));
    }
    assert_true(blocks_opened() >= 21);
    for (uint32_t i = 0; i < 20; i++)
        atomic_store(&owners()[i + 1], 0);
}

static void what_its_last_owner_said_is_over(void **state)
{
    uint8_t *block = claim();
    uint64_t epoch = head(block, BLOCK_EPOCH);

    (void)state;
    *word_of(block, SEGMENT_BLOCK_HEADER_BYTES, CELL_STARTED) = 7;
    ((uint64_t *)block)[BLOCK_ENDING] = 1 + ABANDONED_EXEC;
    ((uint64_t *)block)[BLOCK_THREAD] = 1;
    atomic_store(&owners()[index_of(block)], 0);
    assert_ptr_equal(claim(), block);
    assert_int_equal(head(block, BLOCK_EPOCH), epoch + 1);
    assert_int_equal(head(block, BLOCK_ENDING), 0);
    assert_int_equal(head(block, BLOCK_THREAD), syscall(SYS_gettid));
    assert_int_equal(*word_of(block, SEGMENT_BLOCK_HEADER_BYTES, CELL_STARTED), 7); /* counts are for ever */
    *word_of(block, SEGMENT_BLOCK_HEADER_BYTES, CELL_STARTED) = 0;
    ((uint64_t *)block)[BLOCK_ENDING] = 1 + ABANDONED_EXEC;
    assert_ptr_equal(blocks_keep(block, image_owner()), block);
    assert_int_equal(head(block, BLOCK_EPOCH), epoch + 2);
    assert_int_equal(head(block, BLOCK_ENDING), 0);
    assert_null(blocks_keep(block, image_owner() + 1));
    assert_int_equal(head(block, BLOCK_EPOCH), epoch + 2);
    atomic_store(&owners()[index_of(block)], 0);
}

static void there_are_no_more_than_fit(void **state)
{
    uint32_t capacity = segment->block_capacity;

    (void)state;
    for (uint32_t i = 1; i < capacity; i++)
        atomic_store(&owners()[i], image_owner());
    assert_null(blocks_claim(image_owner()));
    atomic_store(&owners()[capacity - 1], 0);
    assert_int_equal(index_of(claim()), capacity - 1);
    assert_null(blocks_claim(image_owner()));
    for (uint32_t i = 1; i < capacity; i++)
        atomic_store(&owners()[i], 0);
}

/* What is left in them --------------------------------------------------------------------------------------------- */

static uint64_t cell_at(unsigned number)
{
    return SEGMENT_BLOCK_HEADER_BYTES + number * (uint64_t)CELL_BYTES;
}

/* Each cell has calls of all outcomes behind it, and `number` in progress. */
static void fill(uint8_t *block)
{
    for (unsigned number = 0; number < CELLS; number++) {
        for (unsigned word = CELL_BUCKETS; word < CELL_WORDS; word++)
            *word_of(block, cell_at(number), word) = 500; /* no outcome */
        for (unsigned word = CELL_SUCCESS; word < CELL_BUCKETS; word++)
            *word_of(block, cell_at(number), word) = word == CELL_SUM_TICKS ? 1000000 : 3 + word;
        *word_of(block, cell_at(number), CELL_STARTED) = number;
        for (unsigned word = CELL_SUCCESS; word < CELL_BUCKETS; word++)
            if (word != CELL_SUM_TICKS)
                *word_of(block, cell_at(number), CELL_STARTED) += 3 + word;
    }
}

/* Is what is in progress there looked at? Neither what is counted alone, nor places of values that there are not. */
static bool is_balanced(unsigned number)
{
    unsigned place = (number - 2) % (VALUES + 1);

    if (number < 2)
        return number == 0;
    return place < VALUES_IN_USE || place == VALUES;
}

static void check_cells(uint8_t *block, enum segment_abandoned_reason reason)
{
    for (unsigned number = 0; number < CELLS; number++)
        for (unsigned word = CELL_SUCCESS; word < CELL_BUCKETS; word++) {
            uint64_t expected = word == CELL_SUM_TICKS ? 1000000 : 3 + word;

            if (word == CELL_ABANDONED + (unsigned)reason && is_balanced(number))
                expected += number;
            if (*word_of(block, cell_at(number), word) != expected)
                fail_msg("cell %u, word %u: expected %lu, found %lu", number, word, expected,
                         *word_of(block, cell_at(number), word));
        }
}

/* A process that leaves calls in a block; it has said why. The block's index. */
static uint32_t leave_calls(uint64_t ending)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        uint8_t *block;

        image_begin();
        block = blocks_claim(image_owner());
        if (!block)
            _exit(0);
        fill(block);
        ((uint64_t *)block)[BLOCK_ENDING] = ending;
        syscall(SYS_exit_group, (int)index_of(block));
    }
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    return (uint32_t)WEXITSTATUS(status);
}

static uint8_t *block_at(uint32_t index)
{
    return (uint8_t *)segment + segment->blocks + index * segment->block_bytes;
}

static void check_left(uint64_t ending, enum segment_abandoned_reason expected)
{
    uint8_t *mine = claim();
    uint32_t index = leave_calls(ending);

    assert_int_not_equal(0, atomic_load(&owners()[index]));
    fill(mine);
    blocks_reclaim();
    assert_int_equal(0, atomic_load(&owners()[index]));
    check_cells(block_at(index), expected);
    assert_int_equal(segment->processes, 1);
    /* Who lives keeps what is its own. */
    assert_int_equal(image_owner(), atomic_load(&owners()[index_of(mine)]));
    assert_int_equal(3 + CELL_ABANDONED + expected,
                     *word_of(mine, cell_at(CELLS - 1), CELL_ABANDONED + (unsigned)expected));
    blocks_reclaim(); /* and once is enough */
    check_cells(block_at(index), expected);
    atomic_store(&owners()[index_of(mine)], 0);
}

static void calls_are_abandoned_for_the_reason_that_was_said(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        check_left(1 + reason, reason);
}

static void who_said_nothing_was_killed(void **state)
{
    (void)state;
    check_left(0, ABANDONED_PROCESS_DEATH);
    check_left(1 + SEGMENT_ABANDONED_REASONS, ABANDONED_PROCESS_DEATH);
    check_left(UINT64_MAX, ABANDONED_PROCESS_DEATH);
}

static void blocks_that_live_are_told(void **state)
{
    uint8_t *mine[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        mine[i] = claim();
    leave_calls(0);
    assert_int_equal(3, reclaim_blocks(segment, segment->block_count));
    for (unsigned i = 0; i < 3; i++)
        atomic_store(&owners()[index_of(mine[i])], 0);
    assert_int_equal(0, reclaim_blocks(segment, segment->block_count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_claimed_once),
        cmocka_unit_test(what_its_last_owner_said_is_over),
        cmocka_unit_test(calls_are_abandoned_for_the_reason_that_was_said),
        cmocka_unit_test(who_said_nothing_was_killed),
        cmocka_unit_test(blocks_that_live_are_told),
        cmocka_unit_test(there_are_no_more_than_fit),
    };

    if (images_init(IMAGES) != 0)
        return 1;
    image_begin();
    make_segment();
    blocks_reclaim();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
