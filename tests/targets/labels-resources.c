/* Pools whose sizes are in variables of every type, behind pointers good and bad, in arguments and in results.
 *
 * Each byte of its standard input changes them, and is answered by a line. */
#include "samples.h"
#include "victim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

struct pool {
    int64_t in_use;
    uint32_t limit;
    float load;
    double share;
    bool is_full;
};

int pool_int = -3;
uint32_t pool_uint32 = UINT32_MAX;
int64_t pool_int64 = INT64_MIN;
uint64_t pool_uint64 = UINT64_C(1) << 60;
struct pool pool = {7, 50, 0.5F, 0.125, true};
struct pool *pool_behind;
void *pool_null;
void *pool_wild = (void *)UINT64_C(0x8000000000000000);
void *pool_gone;

TRACKED int set_limit(void *unused, int limit, double share)
{
    TOUCH();
    CHECK(!unused && share > 0);
    return limit - 1;
}

static void change(int round)
{
    pool_int += 10;
    pool.in_use = 100 + round;
    pool.load = (float)round + 0.25F;
    pool_behind->in_use = 1000 + round;
    pool_behind->is_full = !pool_behind->is_full;
    CHECK(set_limit(NULL, 60 + round, 0.75) == 59 + round);
    printf("changed %d\n", round);
    fflush(stdout);
}

int main(void)
{
    char byte;

    pool_behind = calloc(1, sizeof(*pool_behind));
    pool_gone = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!pool_behind || pool_gone == MAP_FAILED)
        abort();
    munmap(pool_gone, 4096);
    pool_behind->in_use = 12;
    puts("done");
    fflush(stdout);
    for (int round = 1; read(STDIN_FILENO, &byte, 1) > 0; round++)
        change(round);
    free(pool_behind);
    return victim_failures;
}
