#include "server/common/utf8.h"

/* How many bytes a character takes by its first one, and what its second one may be (Unicode 15, table 3-7: nothing
 * overlong, no surrogates, nothing above U+10FFFF). */
struct lead {
    unsigned char first;
    unsigned char last;
    unsigned char length;
    unsigned char second_low;
    unsigned char second_high;
};

static const struct lead leads[] = {
    {0x01, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

size_t utf8_length(const char *text, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++) {
        const struct lead *lead = &leads[i];

        if (bytes[0] < lead->first || bytes[0] > lead->last)
            continue;
        if (lead->length > count || (lead->length > 1 && (bytes[1] < lead->second_low || bytes[1] > lead->second_high)))
            return 0;
        for (size_t j = 2; j < lead->length; j++)
            if (bytes[j] < 0x80 || bytes[j] > 0xBF)
                return 0;
        return lead->length;
    }
    return 0;
}
