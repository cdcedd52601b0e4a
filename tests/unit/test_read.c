/* What is read of a call's arguments: numbers as their types say, and strings up to where they end, are cut, or cannot
 * be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "preload/calls/read.h"
#include "preload/records/lane.h"
#include "server/segment/segment.h"

enum {
    PAGE = 4096,
    REGISTERS = 9,
    STACK_WORDS = 4,
    FIELD_WORDS = SEGMENT_STRING_FIELD_BYTES / 8,
    TEXT_MAX = 90,
};

static struct lane lane;
static uint64_t registers[REGISTERS];
static uint64_t stack[STACK_WORDS];
static uint64_t vectors[8][2];
static struct read_call call = {
    .lane = &lane, .registers = registers, .stack = stack, .vectors = (const uint64_t (*)[2])vectors};
static char *pages; /* two, then one that cannot be read, and another */
static void *break_end;

/* Numbers ---------------------------------------------------------------------------------------------------------- */

static struct value_location place(uint8_t place, uint8_t number, enum value_type type, uint8_t bytes)
{
    struct value_location location = {.place = place, .number = number, .type = (uint8_t)type, .bytes = bytes};

    read_prepare(&location);
    return location;
}

static uint64_t word_at(struct value_location location)
{
    uint64_t word = 0;

    assert_true(read_word(&call, &location, &word));
    return word;
}

/* By frame.inc: rbp, r11, r10, r9, r8, rdi, rsi, and before those rdx, rcx. */
static void arguments_are_where_the_abi_has_them(void **state)
{
    static const uint8_t pushed[] = {5, 6, 7, 8, 4, 3};

    (void)state;
    for (unsigned i = 0; i < REGISTERS; i++)
        registers[i] = 100 + i;
    for (unsigned i = 0; i < STACK_WORDS; i++)
        stack[i] = 200 + i;
    for (unsigned i = 0; i < 8; i++) {
        vectors[i][0] = 300 + i;
        vectors[i][1] = 400 + i;
    }
    call.ret = 500;
    call.float_ret = 600;
    for (uint8_t i = 0; i < 6; i++) {
        assert_int_equal(word_at(place(VALUE_IN_REGISTER, i, VALUE_UINT64, 8)), 100 + pushed[i]);
        assert_true(read_is_register(&(struct value_location){.number = pushed[i]}));
    }
    for (uint8_t i = 0; i < STACK_WORDS; i++) {
        struct value_location location = place(VALUE_IN_REGISTER, (uint8_t)(6 + i), VALUE_UINT64, 8);

        assert_int_equal(word_at(location), 200 + i);
        assert_false(read_is_register(&location));
    }
    for (uint8_t i = 0; i < 8; i++) {
        struct value_location location = place(VALUE_IN_VECTOR, i, VALUE_DOUBLE, 8);

        assert_int_equal(word_at(location), 300 + i);
        location.offset = 8;
        assert_int_equal(word_at(location), 400 + i);
    }
    assert_int_equal(word_at(place(VALUE_RESULT, 0, VALUE_INT64, 8)), 500);
    assert_int_equal(word_at(place(VALUE_RESULT, 0, VALUE_DOUBLE, 8)), 600);
    assert_int_equal(word_at(place(VALUE_RESULT, 0, VALUE_FLOAT, 4)), 600);
}

static void numbers_are_extended_as_their_types_say(void **state)
{
    static const struct {
        enum value_type type;
        uint8_t bytes;
        uint8_t offset;
        uint64_t word;
        uint64_t expected;
    } cases[] = {
        {VALUE_INT32, 4, 0, 0xaaaaaaaa80000000, 0xffffffff80000000},
        {VALUE_INT32, 4, 0, 0xaaaaaaaa7fffffff, 0x7fffffff},
        {VALUE_INT32, 4, 4, 0xfffffffe00000001, 0xfffffffffffffffe},
        {VALUE_INT64, 8, 0, 0x8000000000000000, 0x8000000000000000},
        {VALUE_INT32, 1, 3, 0x0000000080000000, 0xffffffffffffff80},
        {VALUE_INT32, 2, 6, 0x7fff000000000000, 0x7fff},
        {VALUE_UINT32, 4, 0, 0xaaaaaaaa80000000, 0x80000000},
        {VALUE_UINT32, 2, 2, 0xffffffff, 0xffff},
        {VALUE_UINT32, 1, 7, 0xfe00000000000000, 0xfe},
        {VALUE_UINT64, 8, 0, 0xfedcba9876543210, 0xfedcba9876543210},
        {VALUE_POINTER, 8, 0, 0xfedcba9876543210, 0xfedcba9876543210},
        {VALUE_BOOL, 1, 0, 0xffffffffffffff00, 0},
        {VALUE_BOOL, 1, 0, 0xffffffffffffff02, 1},
        {VALUE_BOOL, 1, 2, 0x800000, 1},
        {VALUE_FLOAT, 4, 0, 0xffffffff3f800000, 0x3f800000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct value_location location = place(VALUE_IN_REGISTER, 0, cases[i].type, cases[i].bytes);

        location.offset = cases[i].offset;
        registers[5] = cases[i].word;
        if (word_at(location) != cases[i].expected)
            fail_msg("case %zu: expected %lx, found %lx", i, cases[i].expected, word_at(location));
        /* The same in memory, where it may lie across words. */
        memcpy(pages + 3, &cases[i].word, 8);
        registers[5] = (uintptr_t)pages;
        location.is_memory = true;
        location.offset += 3;
        if (word_at(location) != cases[i].expected)
            fail_msg("case %zu in memory: expected %lx, found %lx", i, cases[i].expected, word_at(location));
    }
}

static void numbers_that_cannot_be_read_are_not(void **state)
{
    struct value_location location = place(VALUE_IN_REGISTER, 0, VALUE_INT64, 8);
    uint64_t field[2] = {1, 1};
    uint64_t word;

    (void)state;
    location.is_memory = true;
    registers[5] = (uintptr_t)pages;
    for (location.offset = 2 * PAGE - 8; location.offset < 2 * PAGE; location.offset++)
        assert_true(read_word(&call, &location, &word) == (location.offset == 2 * PAGE - 8));
    location.offset = 3 * PAGE - 1;
    assert_false(read_word(&call, &location, &word));
    location.offset = 3 * PAGE;
    assert_true(read_word(&call, &location, &word));
    location.offset = 2 * PAGE;
    assert_int_equal(read_field(&call, &location, field), 2);
    assert_true(field[0] == SEGMENT_VALUE_INVALID && field[1] == 0);
    memset(pages, 7, 8);
    location.offset = 0;
    assert_int_equal(read_field(&call, &location, field), 2);
    assert_true(field[0] == 0 && field[1] == 0x0707070707070707);
}

/* Strings ---------------------------------------------------------------------------------------------------------- */

/* Where a text of over 64 bytes is cut: a character that would not be whole is left out, unless it is none. */
static size_t expected_length(const char *text, size_t length)
{
    size_t at = SEGMENT_STRING_BYTES;

    if (length <= SEGMENT_STRING_BYTES)
        return length;
    for (int i = 0; i < 3 && ((unsigned char)text[at] & 0xC0) == 0x80; i++)
        at--;
    return ((unsigned char)text[at] & 0xC0) == 0x80 ? SEGMENT_STRING_BYTES : at;
}

static struct value_location string(uint16_t string_bytes)
{
    struct value_location location = place(VALUE_IN_REGISTER, 0, VALUE_CSTRING, 8);

    location.is_memory = string_bytes > 0;
    location.string_bytes = string_bytes;
    return location;
}

static void check_field(const char *what, const struct value_location *location, const char *text, size_t length)
{
    uint64_t field[FIELD_WORDS + READ_FIELD_WORDS_OVER];
    uint64_t expected[FIELD_WORDS + READ_FIELD_WORDS_OVER] = {expected_length(text, length)};
    uint32_t words = 1 + ((uint32_t)expected[0] + 7) / 8;

    memset(field, 0x80, sizeof(field)); /* what was there might go on a character */
    memcpy(expected + 1, text, expected[0]);
    if (read_field(&call, location, field) != words || memcmp(field, expected, words * 8UL) != 0)
        fail_msg("%s of %zu bytes (%.70s): expected %lu bytes, found %lu", what, length, text, expected[0], field[0]);
}

/* The text at the end of what can be read, and with more behind it; where ranges say so, and where they do not. */
static void check_string(const char *text, size_t length)
{
    struct read_range range = {(uintptr_t)pages, (uintptr_t)(pages + 2 * PAGE)};
    char *at = pages + 2 * PAGE - length - 1;
    struct value_location location = string(0);

    for (int i = 0; i < 4; i++) {
        if (i == 2)
            at = pages + 100;
        memset(pages, 'z', 2 * PAGE);
        memcpy(at, text, length);
        at[length] = '\0';
        registers[5] = (uintptr_t)at;
        read_init(&range, (size_t)(i % 2), 0, NULL);
        check_field(i % 2 ? "in a range" : "anywhere", &location, text, length);
    }
    read_init(NULL, 0, (uintptr_t)pages, &break_end);
    check_field("on the heap", &location, text, length);
    /* In a structure, at the field's end. */
    for (uint16_t room = 1; room <= length && room < TEXT_MAX; room++) {
        struct value_location inside = string(room);

        check_field("in a structure", &inside, text, room);
    }
    read_init(NULL, 0, 0, NULL);
}

static void strings_of_each_length(void **state)
{
    char text[TEXT_MAX + 1];

    (void)state;
    for (size_t length = 0; length < TEXT_MAX; length++) {
        for (size_t i = 0; i < length; i++)
            text[i] = (char)(i % 3 == 0 ? 0x01 + i : 'a' + i % 26);
        text[length] = '\0';
        check_string(text, length);
    }
}

static void strings_are_cut_between_characters(void **state)
{
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x80\x80\x80\x80\x80",
                                             "\xff",     "\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof(characters) / sizeof(*characters); i++)
        for (size_t before = 55; before < 66; before++) {
            char text[TEXT_MAX];

            memset(text, 'x', before);
            memcpy(text + before, characters[i], strlen(characters[i]));
            memset(text + before + strlen(characters[i]), 'y', 10);
            check_string(text, before + strlen(characters[i]) + 10);
        }
}

static void check_invalid(uintptr_t address)
{
    struct value_location location = string(0);
    uint64_t field[FIELD_WORDS + READ_FIELD_WORDS_OVER] = {0};

    registers[5] = address;
    assert_int_equal(read_field(&call, &location, field), 1);
    assert_true(field[0] == SEGMENT_VALUE_INVALID);
}

static void strings_that_cannot_be_read_are_invalid(void **state)
{
    static const uintptr_t wild[] = {0, 1, 8, UINTPTR_MAX, UINTPTR_MAX - 100, UINT64_C(0x800000000000)};

    (void)state;
    for (size_t i = 0; i < sizeof(wild) / sizeof(*wild); i++)
        check_invalid(wild[i]);
    memset(pages, 'z', 2 * PAGE);
    for (size_t length = 1; length <= SEGMENT_STRING_BYTES; length++)
        check_invalid((uintptr_t)pages + 2 * PAGE - length);
    check_field("cut at the end", &(struct value_location){.type = VALUE_CSTRING, .number = 7},
                (registers[7] = (uintptr_t)pages + 2 * PAGE - 65, pages + 2 * PAGE - 65), 65);
    check_invalid((uintptr_t)pages + 2 * PAGE);
    check_invalid((uintptr_t)pages + 3 * PAGE - 1);
}

/* Nobody answers a fault here. */
static void strings_on_the_stack_end_with_it(void **state)
{
    struct value_location location = string(0);

    (void)state;
    lane.stack_low = (uintptr_t)pages;
    lane.stack_high = (uintptr_t)(pages + 2 * PAGE);
    call.stack = (const uint64_t *)(pages + PAGE);
    memset(pages, 'z', 2 * PAGE);
    for (size_t length = 1; length <= SEGMENT_STRING_BYTES; length++)
        check_invalid((uintptr_t)pages + 2 * PAGE - length);
    check_invalid((uintptr_t)pages + 2 * PAGE);
    for (size_t at = PAGE - 100; at < PAGE + 100; at += 10) {
        memset(pages, 'z', 2 * PAGE);
        memcpy(pages + at, "value", 6);
        registers[5] = (uintptr_t)pages + at;
        check_field("on the stack", &location, "value", 5);
    }
    lane.stack_low = lane.stack_high = 1;
    call.stack = stack;
}

/* Pages that ranges promise, and the program has forbidden. */
static void go_on(int signal, siginfo_t *info, void *context)
{
    greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    uintptr_t resume = read_resume((uintptr_t)*ip);

    (void)info;
    if (resume)
        *ip = (greg_t)resume;
    else
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static void loads_that_fault_go_on(void **state)
{
    struct read_range range = {(uintptr_t)pages, (uintptr_t)(pages + 4 * PAGE)};
    struct sigaction action = {.sa_sigaction = go_on, .sa_flags = SA_SIGINFO};
    struct value_location number = place(VALUE_IN_REGISTER, 0, VALUE_INT64, 8);
    uint64_t word;

    (void)state;
    sigaction(SIGSEGV, &action, NULL);
    read_init(&range, 1, 0, NULL);
    memset(pages, 'z', 2 * PAGE);
    check_invalid((uintptr_t)pages + 2 * PAGE);
    check_invalid((uintptr_t)pages + 2 * PAGE - 20);
    check_invalid((uintptr_t)pages + 2 * PAGE - 16);
    number.is_memory = true;
    registers[5] = (uintptr_t)pages + 2 * PAGE - 1;
    assert_false(read_word(&call, &number, &word));
    read_init(NULL, 0, 0, NULL);
    signal(SIGSEGV, SIG_DFL);
    assert_int_equal(read_resume((uintptr_t)go_on), 0);
    assert_int_equal(read_resume(0), 0);
}

/* Several ranges, and what lies between them. */
static void ranges_are_searched(void **state)
{
    struct read_range ranges[5];
    struct value_location location = string(0);

    (void)state;
    for (int i = 0; i < 5; i++)
        ranges[i] =
            (struct read_range){(uintptr_t)pages + (uintptr_t)i * 200, (uintptr_t)pages + (uintptr_t)i * 200 + 100};
    read_init(ranges, 5, 0, NULL);
    for (size_t at = 0; at < 1100; at += 10) {
        memset(pages, 'z', PAGE);
        memcpy(pages + at, "value", 6);
        registers[5] = (uintptr_t)pages + at;
        check_field("among ranges", &location, "value", 5);
    }
    read_init(NULL, 0, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_where_the_abi_has_them),
        cmocka_unit_test(numbers_are_extended_as_their_types_say),
        cmocka_unit_test(numbers_that_cannot_be_read_are_not),
        cmocka_unit_test(strings_of_each_length),
        cmocka_unit_test(strings_are_cut_between_characters),
        cmocka_unit_test(strings_that_cannot_be_read_are_invalid),
        cmocka_unit_test(strings_on_the_stack_end_with_it),
        cmocka_unit_test(loads_that_fault_go_on),
        cmocka_unit_test(ranges_are_searched),
    };

    lane.stack_low = lane.stack_high = 1;
    pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + 2 * PAGE, PAGE, PROT_NONE) != 0)
        return 1;
    break_end = pages + 2 * PAGE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
