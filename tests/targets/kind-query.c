/* Queries of several tables, with the table's name as an argument. */
#include "samples.h"
#include "victim.h"

enum {
    TABLES = 4,
    ROUNDS = 2000
};

static const char *const tables[TABLES] = {"users", "orders", "order lines", "größen"};

/* How many rows were found, -1 if the table is locked. */
TRACKED int run_query(void *database, const char *table, int key)
{
    TOUCH();
    CHECK(database && table);
    return key % 17 == 16 ? -1 : key % 3;
}

int main(void)
{
    struct outcomes counts[TABLES] = {0};
    char labels[128];

    for (int i = 0; i < ROUNDS; i++) {
        int table = i * i % TABLES + i % 3;
        int rows = run_query(&counts, tables[table], i);

        counts[table].success += rows >= 0;
        counts[table].error += rows < 0;
    }
    for (int i = 0; i < TABLES; i++) {
        snprintf(labels, sizeof(labels), "function=\"run_query\",kind=\"query\",database=\"shop\",table=\"%s\"",
                 tables[i]);
        if (counts[i].success + counts[i].error > 0)
            say_outcomes(labels, &counts[i]);
    }
    say_sample("label_overflows_total", "function=\"run_query\",label=\"table\"", 0);
    return victim_finish();
}
