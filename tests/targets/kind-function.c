/* A plain function that succeeds, fails, is throttled, and is left by a jump. */
#include "samples.h"
#include "victim.h"

#include <setjmp.h>

enum {
    ROUNDS = 5000
};

static jmp_buf way_out;

/* Works like a parser: below 0 for a bad document, 0 where it wants to be asked again. */
TRACKED int parse(int document)
{
    TOUCH();
    if (document % 100 == 99)
        longjmp(way_out, 1);
    if (document % 7 == 0)
        return -document - 1;
    return document % 11 == 0 ? 0 : document;
}

static struct outcomes counts;
static volatile int next;

static void parse_all(void)
{
    while (next < ROUNDS) {
        int result = parse(next++);

        if (result < 0)
            counts.error++;
        else if (result == 0)
            counts.throttled++;
        else
            counts.success++;
    }
}

int main(void)
{
    while (setjmp(way_out))
        counts.abandoned++;
    parse_all();
    CHECK(counts.success + counts.error + counts.throttled + counts.abandoned == ROUNDS);
    printf("truth parse success=%llu error=%llu throttled=%llu abandoned=%llu\n", (unsigned long long)counts.success,
           (unsigned long long)counts.error, (unsigned long long)counts.throttled,
           (unsigned long long)counts.abandoned);
    say_sample("calls_abandoned_total", "function=\"parse\",kind=\"function\",reason=\"longjmp\"", counts.abandoned);
    say_sample("calls_abandoned_total", "function=\"parse\",kind=\"function\",reason=\"thread_exit\"", 0);
    return victim_finish();
}
