/* Reads the words and constants of a condition. */
#include "symbols/values/condition_scan.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"

int condition_fail(struct condition_scanner *scanner, const char *at, const char *format, ...)
{
    char text[sizeof scanner->diag->text];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    diag_set(scanner->diag, "%s", text);
    scanner->error_at = at;
    return -EINVAL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void condition_skip_space(struct condition_scanner *scanner)
{
    scanner->at += strspn(scanner->at, " \t\n\r");
}

static size_t word_bytes(const char *at)
{
    size_t length = 0;

    while (is_word_byte(at[length]))
        length++;
    return length;
}

/* The token at `at`, for messages. */
static const char *describe(char *quoted, const char *at)
{
    char token[DIAG_QUOTE_BYTES];
    size_t length = word_bytes(at);

    if (!*at)
        return "the end";
    if (length == 0)
        length = strspn(at, "=!<>&|");
    if (length == 0)
        for (length = 1; ((unsigned char)at[length] & 0xC0) == 0x80;)
            length++;
    length = diag_cut(at, length, sizeof token - 1);
    memcpy(token, at, length);
    token[length] = '\0';
    return diag_quote(quoted, token);
}

int condition_fail_expected(struct condition_scanner *scanner, const char *expected)
{
    char quoted[DIAG_QUOTE_BYTES];

    return condition_fail(scanner, scanner->at, "expected %s, found %s", expected, describe(quoted, scanner->at));
}

bool condition_accept(struct condition_scanner *scanner, const char *token)
{
    const size_t length = strlen(token);

    condition_skip_space(scanner);
    if (strncmp(scanner->at, token, length) != 0)
        return false;
    if (is_word_byte(*token) && is_word_byte(scanner->at[length]))
        return false;
    scanner->at += length;
    return true;
}

/* The numbers of glibc's names, and of the names that glibc gives the same number. */
static int errno_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } aliases[] = {{"EWOULDBLOCK", EWOULDBLOCK}, {"EDEADLOCK", EDEADLOCK}, {"ENOTSUP", ENOTSUP},
                   {"EOPNOTSUPP", EOPNOTSUPP},   {"EAGAIN", EAGAIN},       {"EDEADLK", EDEADLK}};

    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].number;
    for (int number = 1; number <= CONDITION_ERRNO_MAX; number++) {
        const char *known = strerrorname_np(number);

        if (known && strcmp(known, name) == 0)
            return number;
    }
    return -1;
}

static const char *nearest_errno_name(const char *name)
{
    struct suggestion suggestion = {.word = name};

    for (int number = 1; number <= CONDITION_ERRNO_MAX; number++) {
        const char *known = strerrorname_np(number);

        if (known)
            suggest_consider(&suggestion, known);
    }
    return suggestion.nearest;
}

static int read_errno_name(struct condition_scanner *scanner, condition_wide *ret_constant)
{
    const size_t length = word_bytes(scanner->at);
    char quoted[DIAG_QUOTE_BYTES];
    char name[32];
    const char *nearest;
    int number = -1;

    if (length == 0)
        return condition_fail_expected(scanner, "the name of an errno, such as EAGAIN");
    (void)snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name), scanner->at);
    if (length < sizeof name)
        number = errno_number(name);
    if (number >= 0) {
        scanner->at += length;
        *ret_constant = number;
        return 0;
    }
    nearest = nearest_errno_name(name);
    if (nearest)
        return condition_fail(scanner, scanner->at, "unknown errno %s; did you mean \"%s\"?",
                              describe(quoted, scanner->at), nearest);
    return condition_fail(scanner, scanner->at, "unknown errno %s; expected a name of Linux, such as EAGAIN",
                          describe(quoted, scanner->at));
}

/* Finds the end of a number, as written; -EINVAL if there is none, or one that C would read otherwise. */
static int scan_number(struct condition_scanner *scanner, bool is_floating, const char **ret_end)
{
    const char *at = scanner->at + (*scanner->at == '-');
    const char *digits = at;

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        digits = at + 2;
        at = digits + strspn(digits, "0123456789abcdefABCDEF");
    } else {
        at += strspn(at, "0123456789");
        if (*digits == '0' && at > digits + 1)
            return condition_fail(scanner, scanner->at,
                                  "a number with a leading zero; expected a decimal or 0x... number");
        if (at > digits && *at == '.' && is_digit(at[1]))
            at += 1 + strspn(at + 1, "0123456789");
        if (at > digits && (*at == 'e' || *at == 'E') && is_digit(at[1 + (at[1] == '-' || at[1] == '+')]))
            at += 2 + strspn(at + 2, "0123456789");
    }
    if (at == digits || is_word_byte(*at) || *at == '.')
        return condition_fail_expected(scanner, is_floating ? "a number" : "a whole number");
    *ret_end = at;
    return 0;
}

static int fail_range(struct condition_scanner *scanner, const struct condition_domain *domain, const char *end)
{
    const int length = end - scanner->at < 40 ? (int)(end - scanner->at) : 40;

    return condition_fail(scanner, scanner->at, "%.*s is out of range for %s (%s)", length, scanner->at, domain->name,
                          domain->range);
}

static int digit_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

static int read_whole_number(struct condition_scanner *scanner, const struct condition_domain *domain,
                             condition_wide *ret_constant)
{
    const bool is_negative = *scanner->at == '-';
    const char *digits = scanner->at + is_negative;
    const bool is_hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    const condition_wide beyond = (condition_wide)1 << 65;
    condition_wide value = 0;
    const char *end;

    if (scan_number(scanner, false, &end))
        return -EINVAL;
    for (const char *c = digits + (is_hexadecimal ? 2 : 0); c < end; c++) {
        if (*c == '.' || (!is_hexadecimal && !is_digit(*c)))
            return condition_fail(scanner, scanner->at, "expected a whole number, since %s is one", domain->name);
        value = value * (is_hexadecimal ? 16 : 10) + digit_value(*c);
        if (value > beyond)
            value = beyond;
    }
    value = is_negative ? -value : value;
    if (value < domain->low || value > domain->high)
        return fail_range(scanner, domain, end);
    if (value < 0 && domain->key_low == 0) /* a pointer's */
        value += (condition_wide)1 << 64;
    *ret_constant = value;
    scanner->at = end;
    return 0;
}

/* A constant is rounded to the type of the result, so that `ret == 0.1` holds for the float 0.1f. */
static int read_floating_number(struct condition_scanner *scanner, const struct condition_domain *domain,
                                condition_wide *ret_key)
{
    locale_t locale; /* a program's decimal comma must not matter */
    float value32;
    double value64;
    uint32_t bits32;
    uint64_t bits64;
    const char *end;

    if (scan_number(scanner, true, &end))
        return -EINVAL;
    locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!locale)
        return -ENOMEM;
    value32 = strtof_l(scanner->at, NULL, locale);
    value64 = strtod_l(scanner->at, NULL, locale);
    freelocale(locale);
    if (isinf(value64) || (domain->source == CONDITION_FLOAT && isinf(value32)))
        return fail_range(scanner, domain, end);
    memcpy(&bits32, &value32, sizeof bits32);
    memcpy(&bits64, &value64, sizeof bits64);
    *ret_key = domain->source == CONDITION_FLOAT ? (condition_wide)condition_float_key(bits32)
                                                 : (condition_wide)condition_double_key(bits64);
    scanner->at = end;
    return 0;
}

static int read_null(struct condition_scanner *scanner, const struct condition_domain *domain, condition_wide *ret_key)
{
    if (domain->source != CONDITION_RET64)
        return condition_fail(scanner, scanner->at, "null goes with \"returns\": \"pointer\", not with %s",
                              domain->name);
    scanner->at += strlen("null");
    *ret_key = 0;
    return 0;
}

int condition_read_constant(struct condition_scanner *scanner, const struct condition_domain *domain,
                            condition_wide *ret_key)
{
    condition_skip_space(scanner);
    if (domain->source == CONDITION_ERRNO && !is_digit(*scanner->at) && *scanner->at != '-')
        return read_errno_name(scanner, ret_key);
    if (word_bytes(scanner->at) == 4 && strncmp(scanner->at, "null", 4) == 0)
        return read_null(scanner, domain, ret_key);
    if (*scanner->at == 'E' && domain->source != CONDITION_ERRNO)
        return condition_fail_expected(scanner, "a number (names go with errno)");
    if (domain->source == CONDITION_FLOAT || domain->source == CONDITION_DOUBLE)
        return read_floating_number(scanner, domain, ret_key);
    return read_whole_number(scanner, domain, ret_key);
}
