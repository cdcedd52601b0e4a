/* "Did you mean": which of the words that would have been right is nearest to the one that was written. */
#ifndef CALLMETER_SYMBOLS_COMMON_SUGGEST_H
#define CALLMETER_SYMBOLS_COMMON_SUGGEST_H

#include <stddef.h>

/* The search so far. Zeroed but for the word. */
struct suggestion {
    const char *word;
    const char *nearest; /* the best candidate, or NULL: none resembles the word */
    size_t distance;
};

/* Takes the candidate, which must outlive the suggestion, if it is nearer than those before: at most one letter in
 * three is wrong, missing, too many or swapped with its neighbour, whatever the case. Context: startup. */
void suggest_consider(struct suggestion *suggestion, const char *candidate);

#endif
