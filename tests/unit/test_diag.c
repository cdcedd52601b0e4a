/* symbols/common/diag.h and symbols/common/suggest.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"

static void text_is_replaced_and_wrapped(void **state)
{
    struct diag diag = {""};

    (void)state;
    diag_set(&diag, "line %d", 3);
    assert_string_equal(diag.text, "line 3");
    diag_wrap(&diag, "reading %s", "x.json");
    assert_string_equal(diag.text, "reading x.json: line 3");
    diag_set(&diag, "(%s)", diag.text);
    assert_string_equal(diag.text, "(reading x.json: line 3)");
    assert_int_equal(diag_refuse(&diag, -EINVAL, "100 %s"), -EINVAL);
    assert_string_equal(diag.text, "100 %s");
}

static void text_is_one_line(void **state)
{
    struct diag diag = {""};

    (void)state;
    diag_set(&diag, "a\nb\x1b[31m\x7f%s", "\r");
    assert_string_equal(diag.text, "a?b?[31m??");
}

/* With each of four lengths in front, the end of the array falls on each byte of a character. */
static void text_is_cut_between_characters(void **state)
{
    char word[2 * sizeof(struct diag)];

    (void)state;
    for (size_t front = 0; front < 4; front++) {
        struct diag diag = {""};
        size_t length;

        memset(word, 'x', front);
        for (length = front; length + 4 < sizeof word; length += 4)
            memcpy(word + length, "\xF0\x9F\x9A\x80", 4);
        word[length] = '\0';
        diag_set(&diag, "%s", word);
        length = strlen(diag.text);
        assert_in_range(length, sizeof diag.text - 4, sizeof diag.text - 1);
        assert_int_equal((length - front) % 4, 0);
        diag_wrap(&diag, "prefix");
        assert_true(strlen(diag.text) < sizeof diag.text);
    }
}

static void quotes_are_short(void **state)
{
    char quoted[DIAG_QUOTE_BYTES];
    char word[500];

    (void)state;
    assert_string_equal(diag_quote(quoted, "itn"), "\"itn\"");
    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_true(strlen(diag_quote(quoted, word)) < sizeof quoted);
    assert_non_null(strstr(quoted, "w...\""));
}

static void the_nearest_word_is_suggested(void **state)
{
    static const char *const words[] = {"symbol", "object", "returns", "mode", "error_when"};
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        {"retruns", "returns"},
        {"Symbol", "symbol"},
        {"sybmol", "symbol"},
        {"modes", "mode"},
        {"errorwhen", "error_when"},
        {"colour", NULL},
        {"", NULL},
        {"x", NULL},
        {"obj", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct suggestion suggestion = {.word = cases[i].word};

        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            suggest_consider(&suggestion, words[j]);
        if (!cases[i].nearest)
            assert_null(suggestion.nearest);
        else
            assert_string_equal(suggestion.nearest, cases[i].nearest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_replaced_and_wrapped),   cmocka_unit_test(text_is_one_line),
        cmocka_unit_test(text_is_cut_between_characters), cmocka_unit_test(quotes_are_short),
        cmocka_unit_test(the_nearest_word_is_suggested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
