/* Functions with parameters worth knowing: serves requests, whose table and method are in its arguments. Its optional
 * argument is the number of requests. */
#include "victim.h"

#include <stdlib.h>

struct request {
    int id;
    short method_len;
    char method[12];
    const char *path;
    unsigned is_last : 1;
};

TRACKED int query(int connection, const char *table, double budget, unsigned long rows)
{
    TOUCH();
    return connection + (int)table[0] + (int)budget + (int)rows > 0;
}

TRACKED int serve(struct request *request, int attempt)
{
    TOUCH();
    return request->id + attempt + request->method_len > 0;
}

static int weigh(int value)
{
    TOUCH();
    return value * 3;
}

/* So that weigh is a function of its own, beside its copies. */
static int (*volatile weigher)(int) = weigh;

TRACKED int weigh_all(int value)
{
    return weigh(value) + weigh(value + 1) + weigher(value);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 10;
    struct request request = {.id = 1, .method_len = 3, .method = "GET", .path = "/"};

    for (int i = 0; i < count; i++) {
        CHECK(query(1, i % 2 ? "users" : "orders", 0.5, 7));
        CHECK(serve(&request, i));
        CHECK(weigh_all(i) == weigh_all(i));
    }
    printf("truth query success=%d\ntruth serve success=%d\n", count, count);
    return victim_finish();
}
