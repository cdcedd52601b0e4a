/* Memory that is on the heap when it is small and mapped when it is large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "symbols/common/bulk.h"

static const size_t sizes[] = {1, 100, 65519, 65520, 65521, 200000, 5000000};

static void assert_filled(const uint8_t *memory, size_t bytes, uint8_t value)
{
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], value);
}

static void memory_of_all_sizes_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint8_t *memory = bulk_calloc(sizes[i], 1);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_filled(memory, sizes[i], 0);
        memset(memory, 0xff, sizes[i]);
        bulk_free(memory);
    }
    bulk_free(NULL);
}

static void what_is_there_survives_each_change_of_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
            uint8_t *memory = bulk_resize(NULL, sizes[i], 1);

            assert_non_null(memory);
            memset(memory, 0x5a, sizes[i]);
            memory = bulk_resize(memory, sizes[j], 1);
            assert_non_null(memory);
            assert_filled(memory, sizes[i] < sizes[j] ? sizes[i] : sizes[j], 0x5a);
            memset(memory, 0xff, sizes[j]);
            bulk_free(memory);
        }
    }
}

static void arrays_grow_when_they_are_full(void **state)
{
    uint32_t *array = NULL;
    size_t capacity = 0;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t *grown = bulk_grow(array, i, &capacity, 3, sizeof(*grown));

        assert_non_null(grown);
        assert_true(capacity > i);
        array = grown;
        array[i] = i;
    }
    assert_int_equal(capacity, 3 << 16);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(array[i], i);
    bulk_free(array);
    capacity = SIZE_MAX / 4;
    assert_null(bulk_grow(NULL, capacity, &capacity, 3, 8));
    assert_int_equal(capacity, SIZE_MAX / 4);
}

static void sizes_that_do_not_exist_are_refused(void **state)
{
    void *memory = bulk_calloc(1, 8);

    (void)state;
    assert_null(bulk_calloc(SIZE_MAX, 2));
    assert_null(bulk_calloc(SIZE_MAX, 1));
    assert_null(bulk_resize(memory, SIZE_MAX / 2, 4));
    bulk_free(memory);
}

static void strings_stay_until_all_end(void **state)
{
    struct bulk_text text = {0};
    char expected[300];
    char **copies = bulk_calloc(5000, sizeof(*copies));
    char *very_long = bulk_calloc(1, 1000001);

    (void)state;
    memset(very_long, 'x', 1000000);
    very_long[1000000] = '\0';
    for (int i = 0; i < 5000; i++) {
        snprintf(expected, sizeof(expected), "%d%*s", i, i % 250, "");
        copies[i] = bulk_text_copy(&text, i == 2500 ? very_long : expected);
        assert_non_null(copies[i]);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(expected, sizeof(expected), "%d%*s", i, i % 250, "");
        assert_string_equal(copies[i], i == 2500 ? very_long : expected);
    }
    bulk_text_finish(&text);
    assert_null(text.last);
    bulk_text_finish(&text);
    bulk_free(copies);
    bulk_free(very_long);
}

/* glibc maps blocks from 128 KiB on, until one of them is freed. */
static void the_heaps_thresholds_stay_as_they_were(void **state)
{
    void *volatile block;
    size_t mapped;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it has a heap of its own */
#endif
    bulk_free(bulk_calloc(20000000, 1));
    mapped = mallinfo2().hblks;
    block = malloc(200000);
    assert_int_equal(mallinfo2().hblks, mapped + 1);
    free(block);
}

/* What was copied first may not be written over by what comes next, wherever a chunk ends. */
static void strings_lie_beside_each_other(void **state)
{
    enum {
        STRINGS = 20000,
        LENGTH_MAX = 90,
        NEIGHBOUR_BYTES = 2000000,
    };
    static char *copies[STRINGS];
    struct bulk_text text = {0};
    char string[LENGTH_MAX + 1];
    uint8_t *above = bulk_calloc(NEIGHBOUR_BYTES, 1); /* Linux puts the next mapping right below */

    (void)state;
    assert_non_null(above);
    for (int i = 0; i < STRINGS; i++) {
        size_t length = (size_t)(i * 7) % LENGTH_MAX;

        memset(string, 'a' + i % 26, length);
        string[length] = '\0';
        copies[i] = bulk_text_copy(&text, string);
        assert_non_null(copies[i]);
        memset(copies[i], 'A' + i % 26, length + 1); /* all of it is the caller's */
    }
    for (int i = 0; i < STRINGS; i++)
        assert_filled((uint8_t *)copies[i], (size_t)(i * 7) % LENGTH_MAX + 1, (uint8_t)('A' + i % 26));
    bulk_text_finish(&text);
    assert_filled(above, NEIGHBOUR_BYTES, 0);
    bulk_free(above);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_all_sizes_is_zeroed_and_aligned),
        cmocka_unit_test(what_is_there_survives_each_change_of_size),
        cmocka_unit_test(arrays_grow_when_they_are_full),
        cmocka_unit_test(sizes_that_do_not_exist_are_refused),
        cmocka_unit_test(strings_stay_until_all_end),
        cmocka_unit_test(the_heaps_thresholds_stay_as_they_were),
        cmocka_unit_test(strings_lie_beside_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
