/* "Did you mean". */
#include "symbols/common/suggest.h"

#include <string.h>

enum {
    WORD_BYTES_MAX = 32,
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Damerau's and Levenshtein's distance, with three rows of the table kept. Both words have at
 * most WORD_BYTES_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    const size_t a_length = strlen(a);
    const size_t b_length = strlen(b);

    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        const size_t *before = rows[(i + 1) % 3];
        const size_t *above = rows[(i - 1) % 3];
        size_t *row = rows[i % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t change = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;

            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void suggest_consider(struct suggestion *suggestion, const char *candidate)
{
    const size_t length = strlen(suggestion->word);
    size_t apart;

    if (length > WORD_BYTES_MAX || strlen(candidate) > WORD_BYTES_MAX)
        return;
    apart = distance(suggestion->word, candidate);
    if (apart > (length + 2) / 3 || (suggestion->nearest && apart >= suggestion->distance))
        return;
    suggestion->nearest = candidate;
    suggestion->distance = apart;
}
