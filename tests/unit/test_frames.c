/* symbols/elf/frames.h: each form that .eh_frame may have, and what is damaged in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "symbols/common/diag.h"
#include "symbols/elf/frames.h"
#include "symbols/elf/image.h"

enum {
    ADDRESS = 0x2000, /* of the section */
};

static void read_frames(const struct pen *pen, struct frames *frames)
{
    const struct elf_builder_section section = {
        ".eh_frame", SHT_PROGBITS, SHF_ALLOC, ADDRESS, pen->bytes, pen->length, 0, 0, 0};
    const struct elf_builder builder = {.sections = &section, .section_count = 1};
    char path[] = "/tmp/test_frames.XXXXXX";
    struct image image;
    struct diag diag = {0};

    elf_builder_write(&builder, path);
    assert_int_equal(image_init(&image, path, &diag), 0);
    unlink(path);
    assert_int_equal(frames_read(frames, &image), 0);
    image_finish(&image);
}

/* What stands in one common information entry, and what comes of the entry behind it. */
struct frame_case {
    const char *letters;
    const char *data; /* of the letters, without its length */
    size_t data_bytes;
    uint64_t start; /* as it is written */
    uint64_t bytes;
    uint64_t expected_start;
    uint64_t expected_bytes; /* 0: the entry is left out */
    uint8_t version;         /* 0: 1 */
    uint8_t width;           /* of start and bytes; 0: 8 */
};

/* Writes the common information entry. */
static void put_common(struct pen *pen, const struct frame_case *one)
{
    size_t at = pen->length;
    uint32_t length;

    pen_put(pen, 0, 4);
    pen_put(pen, 0, 4);
    pen_put(pen, one->version ? one->version : 1, 1);
    pen_put_bytes(pen, one->letters, strlen(one->letters) + 1);
    pen_put(pen, 0x0181, 2); /* LEB128 of two bytes */
    pen_put(pen, 0x78, 1);
    pen_put(pen, one->version == 3 ? 0x0190 : 0x90, one->version == 3 ? 2 : 1);
    if (one->letters[0] == 'z')
        pen_put(pen, one->data_bytes, 1);
    pen_put_bytes(pen, one->data, one->data_bytes);
    length = (uint32_t)(pen->length - at - 4);
    memcpy(pen->bytes + at, &length, sizeof(length));
}

/* An entry; its common one begins at `common`. Gives the place of its start. */
static uint64_t put_entry(struct pen *pen, size_t common, uint64_t start, uint64_t bytes, size_t width)
{
    uint64_t place;

    pen_put(pen, 4 + 2 * width, 4);
    pen_put(pen, pen->length - common, 4);
    place = ADDRESS + pen->length;
    pen_put(pen, start, width);
    pen_put(pen, bytes, width);
    return place;
}

static void reads_every_form(void **state)
{
    enum {
        PLACE = 0x800000, /* stands for the entry's own place */
    };
    static const struct frame_case cases[] = {
        {"", "", 0, 0x1000, 0x20, 0x1000, 0x20, 0, 0},
        {"", "", 0, 0x1000, 0x20, 0x1000, 0x20, 3, 0},
        {"z", "", 0, 0x1000, 0x20, 0x1000, 0x20, 0, 0},
        {"zR", "\x00", 1, 0x1000, 0x20, 0x1000, 0x20, 0, 0},
        {"zR", "\x04", 1, 0x123456789, 0x20, 0x123456789, 0x20, 0, 0},
        {"zR", "\x0c", 1, 0x123456789, 0x20, 0x123456789, 0x20, 0, 0},
        {"zR", "\x03", 1, 0xFFFFFFF0, 0xFFFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF, 0, 4},
        {"zR", "\x0b", 1, 0x1000, 0x20, 0x1000, 0x20, 0, 4},
        {"zR", "\x02", 1, 0xFFF0, 0xFFFF, 0xFFF0, 0xFFFF, 0, 2},
        {"zR", "\x0a", 1, 0x1000, 0x20, 0x1000, 0x20, 0, 2},
        {"zR", "\x1b", 1, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zR", "\x1b", 1, 0xFFFFFF00, 0x20, PLACE - 0x100, 0x20, 0, 4},
        {"zR", "\x1b", 1, 0xFFFFFF00, 0x20, PLACE - 0x100, 0x20, 3, 4},
        {"zR", "\x1a", 1, 0xFF00, 0x20, PLACE - 0x100, 0x20, 0, 2},
        {"zR", "\x1c", 1, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 8},
        {"zLR", "\x1b\x1b", 2, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zPLR", "\x00pppppppp\x03\x1b", 11, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zPLR", "\x9bpppp\x03\x1b", 7, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zPR", "\x02pp\x1b", 4, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zRS", "\x1b", 1, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zSR", "\x1b", 1, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        {"zBR", "\x1b", 1, 0x100, 0x20, PLACE + 0x100, 0x20, 0, 4},
        /* not understood */
        {"zXR", "\x1b", 1, 0x100, 0x20, 0, 0, 0, 4},
        {"zPR", "\x0fpp\x1b", 4, 0x100, 0x20, 0, 0, 0, 4},
        {"eh", "eeeeeeee", 8, 0x1000, 0x20, 0, 0, 0, 0},
        {"zR", "\x9b", 1, 0x100, 0x20, 0, 0, 0, 4}, /* where the address lies */
        {"zR", "\x2b", 1, 0x100, 0x20, 0, 0, 0, 4}, /* relative to the text */
        {"zR", "\x3b", 1, 0x100, 0x20, 0, 0, 0, 4},
        {"zR", "\x01", 1, 0x100, 0x20, 0, 0, 0, 4},
        {"zR", "\xff", 1, 0x100, 0x20, 0, 0, 0, 4},
        /* nonsense */
        {"", "", 0, 0x1000, 0, 0, 0, 0, 0},
        {"", "", 0, 0x1000, UINT64_MAX - 0x1000, 0x1000, UINT64_MAX - 0x1000, 0, 0},
        {"", "", 0, 0x1000, UINT64_MAX - 0x0FFF, 0, 0, 0, 0},
        {"", "", 0, 0x1000, 0x20, 0, 0, 0, 4}, /* half of its numbers */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct frame_case *one = &cases[i];
        struct pen pen = {.length = 0};
        struct frames frames;
        uint64_t place;
        uint64_t start = one->expected_start;

        put_common(&pen, one);
        place = put_entry(&pen, 0, one->start, one->bytes, one->width ? one->width : 8);
        read_frames(&pen, &frames);
        if (start >= PLACE - 0x1000 && start <= PLACE + 0x1000)
            start = start - PLACE + place;
        if (frames.count != (one->expected_bytes != 0) ||
            (frames.count && (frames.list[0].address != start || frames.list[0].bytes != one->expected_bytes)))
            fail_msg("case %zu: %zu frames, at 0x%lx", i, frames.count, frames.count ? frames.list[0].address : 0);
        frames_finish(&frames);
    }
}

static const struct frame_case plain = {"zR", "\x03", 1, 0, 0, 0, 0, 0, 0};
static const struct frame_case wide = {"", "", 0, 0, 0, 0, 0, 0, 0};

/* Entries of two kinds by turns, an end in between, and one whose length is of 8 bytes. */
static void keeps_entries_to_their_kind(void **state)
{
    static const struct frame expected[] = {{0x1000, 0x10}, {0x1100, 0x10}, {0x1200, 0x10}, {0x1300, 0x10}};
    struct pen pen = {.length = 0};
    struct frames frames;
    size_t second;

    (void)state;
    put_common(&pen, &plain);
    put_entry(&pen, 0, 0x1300, 0x10, 4);
    second = pen.length;
    put_common(&pen, &wide);
    put_entry(&pen, second, 0x1200, 0x10, 8);
    put_entry(&pen, 0, 0x1100, 0x10, 4);
    pen_put(&pen, 0, 4);
    pen_put(&pen, UINT32_MAX, 4);
    pen_put(&pen, 4 + 2 * 4, 8);
    pen_put(&pen, pen.length, 4); /* its common entry is at 0 */
    pen_put(&pen, 0x1000, 4);
    pen_put(&pen, 0x10, 4);
    read_frames(&pen, &frames);
    assert_int_equal(frames.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(frames.list[i].address, expected[i].address);
        assert_int_equal(frames.list[i].bytes, expected[i].bytes);
    }
    frames_finish(&frames);
}

/* A common entry whose length is of 8 bytes. */
static void reads_a_wide_common_entry(void **state)
{
    struct pen pen = {.length = 0};
    struct frames frames;

    (void)state;
    pen_put(&pen, UINT32_MAX, 4);
    pen_put(&pen, 13, 8);
    pen_put(&pen, 0, 4);
    pen_put_bytes(&pen, "\1zR\0\1\x78\x10\1", 8);
    pen_put(&pen, 0x03, 1);
    put_entry(&pen, 0, 0x1000, 0x10, 4);
    read_frames(&pen, &frames);
    assert_int_equal(frames.count, 1);
    assert_int_equal(frames.list[0].address, 0x1000);
    frames_finish(&frames);
}

static void stops_where_an_entry_is_cut(void **state)
{
    struct pen whole = {.length = 0};
    size_t ends[2];

    (void)state;
    put_common(&whole, &plain);
    put_entry(&whole, 0, 0x1000, 0x10, 4);
    ends[0] = whole.length;
    put_entry(&whole, 0, 0x1100, 0x10, 4);
    ends[1] = whole.length;
    for (size_t length = 1; length <= whole.length; length++) {
        struct pen pen = whole;
        struct frames frames;

        pen.length = length;
        read_frames(&pen, &frames);
        if (frames.count != (size_t)(length >= ends[0]) + (length >= ends[1]))
            fail_msg("%zu frames in %zu bytes", frames.count, length);
        frames_finish(&frames);
    }
}

static void passes_over_entries_of_nothing_known(void **state)
{
    struct pen pen = {.length = 0};
    struct frames frames;
    size_t entry;

    (void)state;
    put_common(&pen, &plain);
    entry = pen.length;
    put_entry(&pen, 0, 0x1000, 0x10, 4);
    put_entry(&pen, entry, 0x1100, 0x10, 4); /* an entry that is no common one */
    pen_put(&pen, 12, 4);
    pen_put(&pen, pen.length + 1, 4); /* before the section */
    pen_put(&pen, 0x1200, 4);
    pen_put(&pen, 0x10, 4);
    put_entry(&pen, 0, 0x1300, 0x10, 4);
    read_frames(&pen, &frames);
    assert_int_equal(frames.count, 2);
    assert_int_equal(frames.list[1].address, 0x1300);
    frames_finish(&frames);
}

static void finds_the_frame_around_an_address(void **state)
{
    static struct frame list[] = {{0x10, 0x10}, {0x20, 8}, {0x40, 1}};
    static const struct frames frames = {.list = list, .count = 3};
    static const struct frames none = {.count = 0};
    static const struct {
        uint64_t address;
        const struct frame *frame;
    } cases[] = {
        {0, NULL},    {0x0F, NULL}, {0x10, &list[0]}, {0x1F, &list[0]}, {0x20, &list[1]},   {0x27, &list[1]},
        {0x28, NULL}, {0x3F, NULL}, {0x40, &list[2]}, {0x41, NULL},     {UINT64_MAX, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (frames_find(&frames, cases[i].address) != cases[i].frame)
            fail_msg("0x%lx", cases[i].address);
        assert_null(frames_find(&none, cases[i].address));
    }
}

static void takes_no_bytes_that_are_not_there(void **state)
{
    static const struct elf_builder_section sections[] = {
        {".eh_frame", SHT_NOBITS, SHF_ALLOC, ADDRESS, NULL, 64, 0, 0, 0},
        {".other", SHT_PROGBITS, SHF_ALLOC, ADDRESS, "other", 5, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct elf_builder builder = {.sections = &sections[i], .section_count = 1};
        char path[] = "/tmp/test_frames.XXXXXX";
        struct image image;
        struct diag diag = {0};
        struct frames frames;

        elf_builder_write(&builder, path);
        assert_int_equal(image_init(&image, path, &diag), 0);
        unlink(path);
        assert_int_equal(frames_read(&frames, &image), 0);
        assert_int_equal(frames.count, 0);
        image_finish(&image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(keeps_entries_to_their_kind),
        cmocka_unit_test(reads_a_wide_common_entry),
        cmocka_unit_test(stops_where_an_entry_is_cut),
        cmocka_unit_test(passes_over_entries_of_nothing_known),
        cmocka_unit_test(finds_the_frame_around_an_address),
        cmocka_unit_test(takes_no_bytes_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
