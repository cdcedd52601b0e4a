#include "preload/control/reports/report_text.h"

#include <string.h>

enum {
    DIGITS_MAX = 20,
    REPLACEMENT_BYTES = 3,
};

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void put_bytes(struct report_text *text, const char *bytes, size_t count)
{
    if (text->is_cut || count > text->capacity - text->length) {
        text->is_cut = true;
        return;
    }
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
}

void report_text_put(struct report_text *text, const char *string)
{
    put_bytes(text, string, strlen(string));
}

void report_text_put_padded(struct report_text *text, uint64_t value, unsigned width)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || sizeof(digits) - at < width);
    put_bytes(text, digits + at, sizeof(digits) - at);
}

void report_text_put_decimal(struct report_text *text, int64_t value)
{
    if (value < 0)
        report_text_put(text, "-");
    report_text_put_padded(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
}

void report_text_put_hexadecimal(struct report_text *text, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    digits[--at] = 'x';
    digits[--at] = '0';
    put_bytes(text, digits + at, sizeof(digits) - at);
}

static bool is_continuation(char byte)
{
    return ((uint8_t)byte & 0xC0) == 0x80;
}

/* Bytes of the character that begins there (The Unicode Standard, table 3-7); 0: it is none. */
static size_t character_bytes(const char *at)
{
    uint8_t first = (uint8_t)at[0];
    uint8_t second;

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || !is_continuation(at[1]))
        return 0;
    second = (uint8_t)at[1];
    if (first < 0xE0)
        return 2;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || !is_continuation(at[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F) || !is_continuation(at[3]))
        return 0;
    return 4;
}

static void put_escaped(struct report_text *text, char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[] = {'\\', 'u', '0', '0', digits[(uint8_t)byte >> 4], digits[byte & 15]};

    put_bytes(text, escape, sizeof(escape));
}

void report_text_put_json(struct report_text *text, const char *string)
{
    report_text_put(text, "\"");
    while (*string) {
        size_t bytes = character_bytes(string);

        if (bytes == 0)
            put_bytes(text, REPLACEMENT, REPLACEMENT_BYTES);
        else if (*string == '"' || *string == '\\' || (uint8_t)*string < 0x20 || *string == 0x7F)
            put_escaped(text, *string);
        else
            put_bytes(text, string, bytes);
        string += bytes ? bytes : 1;
    }
    report_text_put(text, "\"");
}

void report_text_put_plain(struct report_text *text, const char *string)
{
    while (*string) {
        size_t bytes = character_bytes(string);

        if (bytes == 0 || (uint8_t)*string < 0x20 || *string == 0x7F || (bytes == 2 && (uint8_t)*string == 0xC2))
            report_text_put(text, "?"); /* U+0080 to U+009F are control characters too */
        else
            put_bytes(text, string, bytes);
        string += bytes ? bytes : 1;
    }
}

/* The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar: years begin in March, so that the
 * leap day is the last one (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;

    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (int64_t)year_of_era + era * 400 + (*ret_month <= 2);
}

void report_text_put_time(struct report_text *text, int64_t seconds, long nanoseconds, bool is_compact)
{
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    unsigned rest = (unsigned)(seconds - days * 86400);
    const char *dash = is_compact ? "" : "-";
    const char *colon = is_compact ? "" : ":";
    int64_t year;
    unsigned month, day;

    date_of(days, &year, &month, &day);
    report_text_put_padded(text, (uint64_t)year, 4);
    report_text_put(text, dash);
    report_text_put_padded(text, month, 2);
    report_text_put(text, dash);
    report_text_put_padded(text, day, 2);
    report_text_put(text, "T");
    report_text_put_padded(text, rest / 3600, 2);
    report_text_put(text, colon);
    report_text_put_padded(text, rest / 60 % 60, 2);
    report_text_put(text, colon);
    report_text_put_padded(text, rest % 60, 2);
    report_text_put(text, ".");
    report_text_put_padded(text, (uint64_t)nanoseconds / 1000000, 3);
    report_text_put(text, "Z");
}
