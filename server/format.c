/* Numbers as the exposition formats want them. */
#include "server/format.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 17,         /* tell any double from any other */
    DIGITS_SURE = 15,        /* every decimal number of so many survives the way into a double and back */
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

size_t format_uint64(uint64_t value, char text[FORMAT_BYTES])
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

/* The fewest digits that read back. printf and strtod agree on the decimal point, whichever it is. */
static void decimal_shortest(double magnitude, struct decimal *ret_decimal)
{
    int count = magnitude < DBL_MIN ? 1 : DIGITS_SURE; /* of subnormals, fewer digits are sure */
    char text[64];

    for (; count <= DIGITS_MAX; count++) {
        snprintf(text, sizeof(text), "%.*e", count - 1, magnitude);
        if (reads_back(text, magnitude))
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
    return length + format_uint64(exponent, text + length);
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

static size_t format_shortest(double value, char *text)
{
    struct decimal decimal;
    size_t length = 0;

    decimal_shortest(fabs(value), &decimal);
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

size_t format_double(double value, char text[FORMAT_BYTES])
{
    size_t length = 0;

    if (!isfinite(value))
        return format_special(value, text);
    if (!is_whole(value))
        return format_shortest(value, text);
    if (value < 0)
        text[length++] = '-';
    return length + format_uint64((uint64_t)fabs(value), text + length);
}

size_t format_bound(double value, char text[FORMAT_BYTES])
{
    size_t length;

    if (!isfinite(value))
        return format_special(value, text);
    length = format_shortest(value, text);
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

size_t format_http_date(int64_t unix_time, char text[FORMAT_BYTES])
{
    static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = unix_time < 0 ? 0 : unix_time > DATE_LAST ? DATE_LAST : unix_time;
    int64_t days = seconds / 86400;
    int second = (int)(seconds % 86400);
    struct civil_date date = civil_date(days);

    return (size_t)snprintf(text, FORMAT_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT", weekdays[days % 7], date.day,
                            months[date.month - 1], (int)date.year, second / 3600, second / 60 % 60, second % 60);
}
