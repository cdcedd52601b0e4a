/* A client of the real SQLite: 200 tables, a statement for each, the i-th prepared i times. */
#include "samples.h"
#include "victim.h"

#include <sqlite3.h>

enum {
    STATEMENTS = 200,
    KEPT = 50, /* the cap in the manifest */
    OVERFLOWS = STATEMENTS * (STATEMENTS + 1) / 2 - KEPT * (KEPT + 1) / 2,
    NUMBER_OF_BAD = 7
};

static sqlite3 *database;

/* SQLite prepares its own statements with sqlite3_prepare_v2: the tracked function is sqlite3_prepare_v3. */
static void create_table(int number)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "CREATE TABLE t%03d AS SELECT %d AS n", number, number);
    CHECK(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static void write_query(int number, char sql[64])
{
    snprintf(sql, 64, number == NUMBER_OF_BAD ? "SELECT nothing FROM t%03d" : "SELECT n FROM t%03d WHERE n > -1",
             number);
}

/* Rows that the statement gives, -1 for an error. */
static int run(const char *sql)
{
    sqlite3_stmt *statement;
    int rows = 0;

    if (sqlite3_prepare_v3(database, sql, -1, 0, &statement, NULL) != SQLITE_OK)
        return -1;
    while (sqlite3_step(statement) == SQLITE_ROW)
        rows++;
    return sqlite3_finalize(statement) == SQLITE_OK ? rows : -1;
}

static void say(int number)
{
    char labels[160], sql[64];
    uint64_t calls = (uint64_t)number + 1;

    write_query(number, sql);
    snprintf(labels, sizeof(labels), "function=\"sqlite3_prepare_v3\",database=\"memory\",table=\"%s\"", sql);
    say_outcomes(labels,
                 number == NUMBER_OF_BAD ? &(struct outcomes){.error = calls} : &(struct outcomes){.success = calls});
}

int main(void)
{
    char sql[64];

    CHECK(sqlite3_open(":memory:", &database) == SQLITE_OK);
    for (int i = 0; i < STATEMENTS; i++)
        create_table(i);
    for (int i = 0; i < STATEMENTS; i++) {
        write_query(i, sql);
        for (int round = 0; round <= i; round++)
            CHECK(run(sql) == (i == NUMBER_OF_BAD ? -1 : 1));
    }
    for (int i = 0; i < KEPT; i++)
        say(i);
    printf("series calls_active{function=\"sqlite3_prepare_v3\"} %d\n", KEPT + 1);
    printf("sample calls_total{function=\"sqlite3_prepare_v3\",table=\"_other\",outcome=\"success\"} %d\n", OVERFLOWS);
    printf("total calls_total{function=\"sqlite3_prepare_v3\"} %d\n", STATEMENTS * (STATEMENTS + 1) / 2);
    say_sample("label_overflows_total", "function=\"sqlite3_prepare_v3\",label=\"table\"", OVERFLOWS);
    sqlite3_close(database);
    return victim_finish();
}
