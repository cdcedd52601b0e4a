/* Records and the chunks that they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/records/chain.h"
#include "preload/records/lane.h"
#include "preload/records/record.h"

enum {
    FIRST_CHUNKS = 16,    /* of the process, which lie in .bss */
    CHUNKS_LOOKED_AT = 4, /* when a record is wanted */
};

static uint8_t *no_block;
static struct lane lane;

static int setup(void **state)
{
    (void)state;
    lane =
        (struct lane){.current = &lane_bottom, .chunk = lane_no_chunk, .seats = lane_no_chunk, .block_ref = &no_block};
    return 0;
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

static void test_new_chunks_are_free(void **state)
{
    struct chunk *pool = chunk_claim(&lane, false);
    struct chunk *seats = chunk_claim(&lane, true);

    (void)state;
    assert_ptr_not_equal(pool, seats);
    assert_int_equal((uintptr_t)pool % CHUNK_BYTES, 0);
    assert_ptr_equal(pool->lane, &lane);
    assert_true(pool->free == ~UINT64_C(1)); /* all but the header's place */
    assert_int_equal(chunk_used(pool), 0);
    assert_int_equal(seats->free, 0); /* seats tell themselves */
    assert_int_equal(chunk_used(seats), 0);
    for (unsigned i = 1; i <= CHUNK_RECORDS; i++) {
        assert_int_equal(record_of(pool, i)->place, RECORD_PLACE_POOL);
        assert_int_equal(record_of(seats, i)->place, RECORD_PLACE_SEAT_FREE);
    }
}

static void check_use(struct chunk *chunk, unsigned number)
{
    struct record *record = take_number(chunk, number);

    assert_true(chunk_used(chunk) == UINT64_C(1) << number);
    assert_ptr_equal(record_at((uintptr_t)record), record);
    record->state = RECORD_FINISHED;
    record_free(record);
    assert_int_equal(record->state, RECORD_LIVE);
    assert_int_equal(chunk_used(chunk), 0);
    assert_null(record_at((uintptr_t)record));
}

static void test_each_record_is_taken_and_given_back(void **state)
{
    struct chunk *pool = chunk_claim(&lane, false);
    struct chunk *seats = chunk_claim(&lane, true);

    (void)state;
    for (unsigned i = 1; i <= CHUNK_RECORDS; i++) {
        check_use(pool, i);
        check_use(seats, i);
    }
    assert_true(pool->free == ~UINT64_C(1));
    assert_int_equal(seats->free, 0);
}

/* What rbx holds may be anything: only a record in use is one. */
static void test_what_is_a_record(void **state)
{
    struct chunk *chunk = chunk_claim(&lane, false);
    struct record *record = take_number(chunk, 5);

    (void)state;
    assert_ptr_equal(record_at((uintptr_t)record), record);
    assert_null(record_at((uintptr_t)record + 8));
    assert_null(record_at((uintptr_t)chunk));
    assert_null(record_at((uintptr_t)record_of(chunk, 6)));
    assert_null(record_at(0));
    assert_null(record_at((uintptr_t)&lane & ~(uintptr_t)(RECORD_BYTES - 1)));
    chunk->remote = UINT64_C(1) << 5;
    assert_null(record_at((uintptr_t)record)); /* it has ended, on another thread */
    chunk->remote = 0;
    /* What is made next lies behind, out of bounds as yet. */
    assert_null(record_at((uintptr_t)chunk + CHUNK_BYTES + RECORD_BYTES));
}

static void test_more_than_the_first_chunks(void **state)
{
    struct chunk *chunks[FIRST_CHUNKS + 3];

    (void)state;
    for (unsigned i = 0; i < FIRST_CHUNKS + 3; i++) {
        chunks[i] = chunk_claim(&lane, false);
        assert_non_null(chunks[i]);
        for (unsigned j = 0; j < i; j++)
            assert_ptr_not_equal(chunks[j], chunks[i]);
        check_use(chunks[i], 1);
        check_use(chunks[i], CHUNK_RECORDS);
    }
    assert_null(record_at((uintptr_t)chunks[FIRST_CHUNKS + 2] + CHUNK_BYTES + RECORD_BYTES));
}

/* All of the lane's chunks, each once. */
static void check_ring(struct chunk *const *chunks, unsigned count)
{
    struct chunk *at = lane.chunk;

    for (unsigned i = 0; i < count; i++, at = at->next) {
        unsigned found = 0;

        assert_false(i > 0 && at == lane.chunk);
        for (unsigned j = 0; j < count; j++)
            found += chunks[j] == at;
        assert_int_equal(found, 1);
    }
    assert_ptr_equal(at, lane.chunk);
}

static struct chunk *further(unsigned steps)
{
    struct chunk *chunk = lane.chunk;

    while (steps-- > 0)
        chunk = chunk->next;
    return chunk;
}

/* Where there is none, one is made; then the ring is looked through for the next free one. */
static void test_ring_of_chunks(void **state)
{
    struct chunk *chunks[CHUNKS_LOOKED_AT + 3];
    struct chunk *wanted;

    (void)state;
    for (unsigned i = 0; i < CHUNKS_LOOKED_AT + 2; i++) {
        assert_true(chain_find_chunk(&lane));
        chunks[i] = lane.chunk;
        assert_true(chunks[i]->free == ~UINT64_C(1));
        assert_ptr_equal(chunks[i]->lane, &lane);
        check_ring(chunks, i + 1);
        chunks[i]->free = 0;
    }
    /* A free one within reach becomes the lane's own, and no further one is made. */
    wanted = further(CHUNKS_LOOKED_AT - 1);
    record_free(record_of(wanted, 9));
    assert_true(chain_find_chunk(&lane));
    assert_ptr_equal(lane.chunk, wanted);
    wanted->free = 0;
    check_ring(chunks, CHUNKS_LOOKED_AT + 2);
    /* One that is too far off has its turn later. */
    wanted = further(CHUNKS_LOOKED_AT);
    record_free(record_of(wanted, 9));
    assert_true(chain_find_chunk(&lane));
    chunks[CHUNKS_LOOKED_AT + 2] = lane.chunk;
    check_ring(chunks, CHUNKS_LOOKED_AT + 3);
    lane.chunk->free = 0;
    assert_true(chain_find_chunk(&lane));
    assert_ptr_equal(lane.chunk, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_new_chunks_are_free, setup),
        cmocka_unit_test_setup(test_each_record_is_taken_and_given_back, setup),
        cmocka_unit_test_setup(test_more_than_the_first_chunks, setup),
        cmocka_unit_test_setup(test_what_is_a_record, setup),
        cmocka_unit_test_setup(test_ring_of_chunks, setup),
    };

    records_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
