/* Tuples of label values: each gets a place of its own, once, and keeps it; what finds no place is told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "preload/calls/tuples.h"
#include "preload/threads/process_image.h"

enum {
    CAPACITY = 40,
    SLOTS = 64,
    WORDS = 20,
};

static struct segment_values values;
static _Atomic uint32_t slots[SLOTS];
static uint64_t keys[CAPACITY + 1][WORDS];
static struct tuples tuples;

static int setup(void **state)
{
    (void)state;
    values = (struct segment_values){.capacity = CAPACITY};
    memset((void *)slots, 0, sizeof(slots));
    memset(keys, 0, sizeof(keys));
    tuples = (struct tuples){.values = &values,
                             .slots = slots,
                             .keys = &keys[0][0],
                             .slot_mask = SLOTS - 1,
                             .key_words = WORDS,
                             .capacity = CAPACITY};
    return 0;
}

static void make_key(uint64_t *key, uint64_t number, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++)
        key[i] = i == words - 1 ? number : 5;
}

static void each_key_has_a_place(void **state)
{
    uint64_t key[WORDS];

    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < CAPACITY; i++) {
            uint32_t words = 1 + i % WORDS;

            make_key(key, i, words);
            assert_int_equal(tuples_find(&tuples, key, words), i);
            assert_int_equal(values.count, round == 0 ? i + 1 : CAPACITY);
            assert_memory_equal(keys[i], key, words * 8UL);
            for (uint32_t j = words; j < WORDS; j++)
                assert_int_equal(keys[i][j], 0);
        }
    assert_int_equal(values.is_overflowed, 0);
    make_key(key, 1000, 3);
    assert_int_equal(tuples_find(&tuples, key, 3), CAPACITY);
    assert_int_equal(values.is_overflowed, 1);
    assert_int_equal(values.count, CAPACITY);
    for (uint32_t j = 0; j < WORDS; j++)
        assert_int_equal(keys[CAPACITY][j], 0);
    assert_int_not_equal(image_mark(), 0);
    assert_int_equal(values.lock, 0);
}

/* Keys that differ in one word alone, wherever it is, are others. */
static void a_word_tells(void **state)
{
    uint64_t key[WORDS] = {0};

    (void)state;
    assert_int_equal(tuples_find(&tuples, key, WORDS), 0);
    for (uint32_t i = 0; i < WORDS; i++) {
        key[i] = UINT64_C(1) << 63;
        assert_int_equal(tuples_find(&tuples, key, WORDS), i + 1);
        key[i] = 0;
    }
    assert_int_equal(tuples_find(&tuples, key, WORDS), 0);
    assert_true(tuples_is_at(&tuples, 0, key, WORDS));
    assert_false(tuples_is_at(&tuples, 1, key, WORDS));
    key[3] = UINT64_C(1) << 63;
    assert_true(tuples_is_at(&tuples, 4, key, WORDS));
    assert_true(tuples_is_at(&tuples, WORDS, key, 3)); /* what is not asked for does not matter */
    /* Places that are not given out yet, or are none. */
    memset(key, 0, sizeof(key));
    assert_false(tuples_is_at(&tuples, WORDS + 1, key, WORDS));
    assert_false(tuples_is_at(&tuples, UINT64_MAX, key, WORDS));
}

/* The order of words matters, and all of their bits. */
static void hashes_differ(void **state)
{
    uint64_t key[WORDS] = {0};
    uint64_t before = tuples_hash(key, WORDS);

    (void)state;
    for (uint32_t i = 0; i < WORDS; i++)
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t hash;

            key[i] = UINT64_C(1) << bit;
            hash = tuples_hash(key, WORDS);
            assert_true(hash != before);
            key[i] = 0;
        }
    key[0] = 1; /* words that are eight apart have the same factor */
    before = tuples_hash(key, 9);
    key[0] = 0;
    key[8] = 1;
    assert_true(tuples_hash(key, 9) != before);
    key[8] = 0;
    key[0] = 1;
    before = tuples_hash(key, 2);
    key[0] = 0;
    key[1] = 1;
    assert_true(tuples_hash(key, 2) != before);
}

/* What is alike is spread over the slots all the same. */
static void slots_are_used_alike(void **state)
{
    unsigned used[SLOTS] = {0};
    uint64_t key[2];

    (void)state;
    for (uint64_t i = 0; i < 20UL * SLOTS; i++) {
        make_key(key, i, 2);
        used[tuples_hash(key, 2) % SLOTS]++;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        assert_in_range(used[i], 5, 50);
}

/* Slots are taken one behind the other, from the last to the first as well. */
static void slots_that_are_taken_are_passed_over(void **state)
{
    uint64_t key = 77;
    uint32_t slot = 0;

    (void)state;
    assert_int_equal(tuples_add(&tuples, &key, 1, SLOTS - 1), 0);
    assert_int_equal(slots[SLOTS - 1], 1);
    key = 78;
    assert_int_equal(tuples_look_up(&tuples, &key, 1, 3 * SLOTS - 1, &slot), CAPACITY);
    assert_int_equal(slot, 0);
    assert_int_equal(tuples_add(&tuples, &key, 1, 3 * SLOTS - 1), 1);
    assert_int_equal(slots[0], 2);
    key = 79;
    assert_int_equal(tuples_add(&tuples, &key, 1, SLOTS - 1), 2);
    assert_int_equal(slots[1], 3);
    assert_int_equal(tuples_add(&tuples, &key, 1, SLOTS - 1), 2); /* another thread was faster */
    assert_int_equal(values.count, 3);
    assert_int_equal(tuples_look_up(&tuples, &key, 1, SLOTS - 1, &slot), 2);
}

/* A slot whose number is none of a place ends the search. */
static void a_slot_may_hold_anything(void **state)
{
    uint64_t key = 77;
    uint32_t slot = 0;

    (void)state;
    values.count = CAPACITY;
    slots[5] = CAPACITY;
    keys[CAPACITY - 1][0] = 77;
    assert_int_equal(tuples_look_up(&tuples, &key, 1, 5, &slot), CAPACITY - 1);
    slots[5] = CAPACITY + 1;
    keys[CAPACITY][0] = 77;
    assert_int_equal(tuples_look_up(&tuples, &key, 1, 5, &slot), CAPACITY);
    assert_int_equal(slot, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_key_has_a_place, setup),
        cmocka_unit_test_setup(a_word_tells, setup),
        cmocka_unit_test_setup(hashes_differ, setup),
        cmocka_unit_test_setup(slots_are_used_alike, setup),
        cmocka_unit_test_setup(slots_that_are_taken_are_passed_over, setup),
        cmocka_unit_test_setup(a_slot_may_hold_anything, setup),
    };

    if (images_init(8) != 0)
        return 1;
    image_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
