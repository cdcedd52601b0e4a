/* A library that needs one which callmeter's own modules have loaded already. */
#include "victim.h"

#include <zlib.h>

unsigned long late_sum(const char *text);

TRACKED unsigned long late_sum(const char *text)
{
    return crc32(0, (const unsigned char *)text, (unsigned)strlen(text));
}
