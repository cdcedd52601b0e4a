/* Numbers as the exposition formats want them. */
#include "server/common/numbers.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 17,  /* tell any double from any other */
    DIGITS_SURE = 15, /* every decimal number of so many survives the way into a double and back */
    DIGITS_FLOAT_MAX = 9,
    DIGITS_FLOAT_SURE = 6,
    EXPONENT_PLAIN_MIN = -4, /* as Go's shortest %g: 0.0001 but 1e-05, 100000 but 1e+06 */
    EXPONENT_PLAIN_MAX = 5,
};

#define DATE_LAST INT64_C(253402300799) /* of the year 9999 */

/* A positive number, d.ddd * 10^exponent. */
struct decimal {
    char digits[DIGITS_MAX];
    size_t count;
    int exponent;
};

static size_t put_digits(char *text, uint64_t value)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
    return count;
}

size_t numbers_format_uint64(uint64_t value, char text[NUMBERS_BYTES])
{
    return put_digits(text, value);
}

size_t numbers_format_int64(int64_t value, char text[NUMBERS_BYTES])
{
    if (value >= 0)
        return put_digits(text, (uint64_t)value);
    text[0] = '-';
    return 1 + put_digits(text + 1, 0 - (uint64_t)value);
}

size_t numbers_format_hexadecimal(uint64_t value, char text[NUMBERS_BYTES])
{
    size_t length = 2;
    int shift = 60;

    while (shift && !(value >> shift))
        shift -= 4;
    memcpy(text, "0x", 2);
    for (; shift >= 0; shift -= 4)
        text[length++] = "0123456789abcdef"[value >> shift & 15];
    text[length] = '\0';
    return length;
}

/* Reads "d,ddde-dd" as printf wrote it; the locale's decimal point is any bytes that are no digits. */
static void decimal_read(const char *text, struct decimal *ret_decimal)
{
    ret_decimal->count = 0;
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9')
            ret_decimal->digits[ret_decimal->count++] = *text;
    ret_decimal->exponent = atoi(text + 1);
    while (ret_decimal->count > 1 && ret_decimal->digits[ret_decimal->count - 1] == '0')
        ret_decimal->count--;
}

static bool reads_back(const char *text, double value)
{
    double read = strtod(text, NULL);

    return memcmp(&read, &value, sizeof(read)) == 0;
}

static bool reads_back_as_float(const char *text, double value)
{
    double read = (double)strtof(text, NULL);

    return memcmp(&read, &value, sizeof(read)) == 0;
}

/* The fewest digits that read back. printf and strtod agree on the decimal point, whichever it is. */
static void decimal_shortest(double magnitude, bool is_float, struct decimal *ret_decimal)
{
    bool is_subnormal = magnitude < (is_float ? (double)FLT_MIN : DBL_MIN); /* of those, fewer digits are sure */
    int count = is_subnormal ? 1 : is_float ? DIGITS_FLOAT_SURE : DIGITS_SURE;
    int last = is_float ? DIGITS_FLOAT_MAX : DIGITS_MAX;
    char text[64];

    for (; count <= last; count++) {
        snprintf(text, sizeof(text), "%.*e", count - 1, magnitude);
        if (is_float ? reads_back_as_float(text, magnitude) : reads_back(text, magnitude))
            break;
    }
    decimal_read(text, ret_decimal);
}

static size_t put_bytes(char *text, const char *bytes, size_t count)
{
    memcpy(text, bytes, count);
    return count;
}

static size_t put_zeros(char *text, size_t count)
{
    memset(text, '0', count);
    return count;
}

static size_t put_scientific(const struct decimal *decimal, char *text)
{
    unsigned exponent = (unsigned)abs(decimal->exponent);
    size_t length = 0;

    text[length++] = decimal->digits[0];
    if (decimal->count > 1) {
        text[length++] = '.';
        length += put_bytes(text + length, decimal->digits + 1, decimal->count - 1);
    }
    text[length++] = 'e';
    text[length++] = decimal->exponent < 0 ? '-' : '+';
    if (exponent < 10)
        text[length++] = '0';
    return length + put_digits(text + length, exponent);
}

static size_t put_fraction(const struct decimal *decimal, char *text)
{
    size_t length = put_bytes(text, "0.", 2);

    length += put_zeros(text + length, (size_t)(-decimal->exponent - 1));
    return length + put_bytes(text + length, decimal->digits, decimal->count);
}

static size_t put_plain(const struct decimal *decimal, char *text)
{
    size_t whole = (size_t)decimal->exponent + 1;
    size_t length = 0;

    if (decimal->count <= whole) {
        length += put_bytes(text, decimal->digits, decimal->count);
        return length + put_zeros(text + length, whole - decimal->count);
    }
    length += put_bytes(text, decimal->digits, whole);
    text[length++] = '.';
    return length + put_bytes(text + length, decimal->digits + whole, decimal->count - whole);
}

/* NaN and the infinities, which printf would sign and spell otherwise. */
static size_t format_special(double value, char *text)
{
    const char *word = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    size_t length = strlen(word);

    memcpy(text, word, length + 1);
    return length;
}

static size_t format_shortest(double value, bool is_float, char *text)
{
    struct decimal decimal;
    size_t length = 0;

    decimal_shortest(fabs(value), is_float, &decimal);
    if (signbit(value))
        text[length++] = '-';
    if (decimal.exponent < EXPONENT_PLAIN_MIN || decimal.exponent > EXPONENT_PLAIN_MAX)
        length += put_scientific(&decimal, text + length);
    else if (decimal.exponent < 0)
        length += put_fraction(&decimal, text + length);
    else
        length += put_plain(&decimal, text + length);
    text[length] = '\0';
    return length;
}

/* A whole number of which every neighbour is one, too. */
static bool is_whole(double value)
{
    double whole;

    if (fabs(value) >= 0x1p53)
        return false;
    whole = (double)(int64_t)value;
    return whole <= value && value <= whole;
}

static size_t format_number(double value, bool is_float, char *text)
{
    if (!isfinite(value))
        return format_special(value, text);
    if (!is_whole(value))
        return format_shortest(value, is_float, text);
    return numbers_format_int64((int64_t)value, text);
}

size_t numbers_format_double(double value, char text[NUMBERS_BYTES])
{
    return format_number(value, false, text);
}

size_t numbers_format_float(float value, char text[NUMBERS_BYTES])
{
    return format_number((double)value, true, text);
}

size_t numbers_format_bound(double value, char text[NUMBERS_BYTES])
{
    size_t length;

    if (!isfinite(value))
        return format_special(value, text);
    length = format_shortest(value, false, text);
    if (strpbrk(text, ".e"))
        return length;
    memcpy(text + length, ".0", 3);
    return length + 2;
}

/* A day of the Gregorian calendar, from days since 1970-01-01. Counted in years that begin on the first of March, so
 * that the leap day is the last one. */
struct civil_date {
    int64_t year;
    int month; /* from 1 */
    int day;
};

static struct civil_date civil_date(int64_t days)
{
    int64_t since_march_0000 = days + 719468;
    int64_t era = since_march_0000 / 146097; /* of 400 years */
    int64_t day_of_era = since_march_0000 % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */

    return (struct civil_date){.year = era * 400 + year_of_era + (month >= 10),
                               .month = (int)(month < 10 ? month + 3 : month - 9),
                               .day = (int)(day_of_year - (153 * month + 2) / 5 + 1)};
}

size_t numbers_format_http_date(int64_t unix_time, char text[NUMBERS_BYTES])
{
    static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = unix_time < 0 ? 0 : unix_time > DATE_LAST ? DATE_LAST : unix_time;
    int64_t days = seconds / 86400;
    int second = (int)(seconds % 86400);
    struct civil_date date = civil_date(days);

    return (size_t)snprintf(text, NUMBERS_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT", weekdays[days % 7], date.day,
                            months[date.month - 1], (int)date.year, second / 3600, second / 60 % 60, second % 60);
}
