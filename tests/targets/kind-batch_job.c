/* Jobs that return how many rows they wrote, or a negative number; one of them never succeeds; and one that is told
 * how much there is. */
#include "samples.h"
#include "victim.h"

enum {
    JOBS = 60
};

TRACKED int64_t import_rows(int job)
{
    TOUCH();
    return job % 6 == 5 ? -job : (int64_t)job << 33;
}

TRACKED int64_t export_rows(int job)
{
    TOUCH();
    return -1 - job;
}

/* Of a batch there is room for 48 bits while it is worked on. */
TRACKED int load_bytes(uint64_t bytes)
{
    TOUCH();
    return bytes > 0;
}

static void load_all(void)
{
    static const uint64_t most = (UINT64_C(1) << 48) - 1;

    CHECK(load_bytes(most - 1) && load_bytes(most) && load_bytes(most + 1) && load_bytes(UINT64_MAX));
    say_sample("items_total", "function=\"load_bytes\"", 4 * most - 1);
}

int main(void)
{
    double before = unix_seconds();
    struct outcomes imports = {0}, exports = {0};
    uint64_t rows = 0;

    for (int i = 0; i < JOBS; i++) {
        int64_t written = import_rows(i);

        imports.success += written >= 0;
        imports.error += written < 0;
        rows += written > 0 ? (uint64_t)written : 0;
        exports.error += export_rows(i) < 0;
    }
    say_outcomes("function=\"import_rows\",kind=\"batch_job\"", &imports);
    say_outcomes("function=\"export_rows\",kind=\"batch_job\"", &exports);
    say_sample("items_total", "function=\"import_rows\"", rows);
    say_sample("items_total", "function=\"export_rows\"", 0);
    load_all();
    say_moment("last_success_timestamp_seconds", "function=\"import_rows\"", before, unix_seconds());
    say_sample("last_success_timestamp_seconds", "function=\"export_rows\"", 0);
    return victim_finish();
}
