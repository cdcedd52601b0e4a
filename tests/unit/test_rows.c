/* Rows of functions that come later: found again, claimed, and changed by one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "preload/control/segment/rows.h"
#include "preload/control/segment/writer.h"

enum {
    CELL_BYTES = 256
};

static struct segment_header *make(void)
{
    const struct writer_size size = {.functions = 4, .series = 4, .text_bytes = 4096, .cell_bytes = 2 * CELL_BYTES};
    struct segment_header *segment;

    assert_int_equal(writer_create(&size, 1e-9, -1, &segment), 0);
    segment->cells_used = SEGMENT_BLOCK_HEADER_BYTES;
    return segment;
}

static uint32_t add(struct segment_header *segment, uint32_t entry, const char *name, const char *module)
{
    const struct segment_function function = {
        .name = writer_text(segment, name),
        .module = writer_text(segment, module),
        .symbol = writer_text(segment, name),
        .reason = segment->text,
        .entry = entry,
    };

    return writer_add_function(segment, &function);
}

static void finds_what_agrees_in_everything(void **state)
{
    struct segment_header *segment = make();

    (void)state;
    add(segment, 0, "first", "");
    add(segment, 1, "second", "lib.so");
    assert_int_equal(rows_find(segment, &(struct rows_key){1, "second", "lib.so", "second"}), 1);
    assert_int_equal(rows_find(segment, &(struct rows_key){0, "second", "lib.so", "second"}), ROWS_NONE);
    assert_int_equal(rows_find(segment, &(struct rows_key){1, "other", "lib.so", "second"}), ROWS_NONE);
    assert_int_equal(rows_find(segment, &(struct rows_key){1, "second", "other.so", "second"}), ROWS_NONE);
    assert_int_equal(rows_find(segment, &(struct rows_key){1, "second", "lib.so", "other"}), ROWS_NONE);
}

static void knows_which_row_is_free(void **state)
{
    struct segment_header *segment = make();

    (void)state;
    add(segment, 0, "free", "");
    add(segment, 1, "taken", "lib.so");
    add(segment, 1, "later", "");
    assert_int_equal(rows_unclaimed(segment, 0), 0);
    assert_int_equal(rows_unclaimed(segment, 1), ROWS_NONE);
    assert_int_equal(rows_unclaimed(segment, 2), ROWS_NONE);
    assert_int_equal(rows_first(segment, 1), 1);
}

static void gives_cells_until_there_are_none(void **state)
{
    struct segment_header *segment = make();
    uint64_t first = rows_take_cells(segment, CELL_BYTES);
    uint64_t room = segment->block_bytes - segment->cells_used;

    (void)state;
    assert_int_equal(first, SEGMENT_BLOCK_HEADER_BYTES);
    assert_int_equal(rows_take_cells(segment, room + 1), 0);
    assert_int_equal(rows_take_cells(segment, room), first + CELL_BYTES);
    assert_int_equal(rows_take_cells(segment, 1), 0);
    segment->cells_used = UINT64_MAX;
    assert_int_equal(rows_take_cells(segment, 1), 0);
}

static void says_how_much_text_there_is_room_for(void **state)
{
    struct segment_header *segment = make();
    uint64_t room = segment->text_bytes - segment->text_used;

    (void)state;
    assert_true(rows_has_text(segment, room));
    assert_false(rows_has_text(segment, room + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_agrees_in_everything),
        cmocka_unit_test(knows_which_row_is_free),
        cmocka_unit_test(gives_cells_until_there_are_none),
        cmocka_unit_test(says_how_much_text_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
