/* The service of docs/cookbook.md: one small function for each recipe, and a mode which calls it and knows how often.
 */
#include "samples.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A loop in a long-running service */

TRACKED int poll_events(struct pollfd *events, unsigned count)
{
    int ready = poll(events, count, 0);

    TOUCH();
    return ready;
}

static void loop(void)
{
    enum {
        ITERATIONS = 2000
    };
    const char *labels = "function=\"event_loop\",kind=\"loop\"";
    double before = unix_seconds();
    struct pollfd event = {.fd = -1};

    for (int i = 0; i < ITERATIONS; i++)
        CHECK(poll_events(&event, 1) == 0);
    say_outcomes(labels, &(struct outcomes){.success = ITERATIONS});
    say_sample("loop_interval_seconds_count", labels, ITERATIONS - 1);
    say_moment("last_call_timestamp_seconds", labels, before, unix_seconds());
}

/* A worker with batches */

struct row {
    int key;
};

TRACKED int flush_batch(int sink, const struct row *rows, uint32_t count)
{
    const size_t bytes = count * sizeof(*rows);

    TOUCH();
    return write(sink, rows, bytes) == (ssize_t)bytes ? 0 : -1;
}

static void worker(void)
{
    enum {
        BATCHES = 300,
        ROWS_MAX = 64
    };
    const char *labels = "function=\"flush_batch\",kind=\"worker\",queue=\"rows\"";
    const struct row rows[ROWS_MAX] = {{0}};
    const int sinks[2] = {open("/dev/null", O_WRONLY | O_CLOEXEC), open("/dev/full", O_WRONLY | O_CLOEXEC)};
    double before = unix_seconds();
    struct outcomes counts = {0};
    uint64_t items = 0;

    for (uint32_t i = 0; i < BATCHES; i++) {
        int result = flush_batch(sinks[i % 10 == 9], rows, 1 + i % ROWS_MAX);

        counts.success += result == 0;
        counts.error += result < 0;
        items += 1 + i % ROWS_MAX;
    }
    CHECK(counts.error == BATCHES / 10);
    say_outcomes(labels, &counts);
    say_sample("items_total", labels, items);
    say_moment("last_success_timestamp_seconds", labels, before, unix_seconds());
}

/* A dependency call */

TRACKED ssize_t mail_send(int connection, const void *text, size_t length)
{
    ssize_t sent = send(connection, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    TOUCH();
    return sent;
}

/* Sends until the peer's buffer is full, then to a peer that is gone. */
static void dependency(void)
{
    const char *labels = "function=\"mail_send\",kind=\"dependency\",dependency=\"mail\",operation=\"send\"";
    struct outcomes counts = {0};
    static char text[4096];
    int ends[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    while (mail_send(ends[0], text, sizeof(text)) > 0)
        counts.success++;
    CHECK(errno == EAGAIN);
    counts.throttled++;
    close(ends[1]);
    for (int i = 0; i < 5; i++) {
        CHECK(mail_send(ends[0], text, sizeof(text)) < 0 && errno == EPIPE);
        counts.error++;
    }
    say_outcomes(labels, &counts);
    say_sample("call_errors_total", "function=\"mail_send\",error_type=\"EPIPE\"", counts.error);
}

/* A query */

TRACKED int db_query(const void *database, const char *table, int key)
{
    TOUCH();
    CHECK(database && table);
    return key % 20 == 19 ? -1 : key % 3;
}

static void query(void)
{
    enum {
        QUERIES = 1200
    };
    static const char *const tables[] = {"customers", "orders", "invoices"};
    char labels[128];

    for (int i = 0; i < QUERIES; i++)
        CHECK(db_query(tables, tables[i % 3], i) >= -1);
    for (int i = 0; i < 3; i++) {
        snprintf(labels, sizeof(labels), "function=\"db_query\",kind=\"query\",database=\"shop\",table=\"%s\"",
                 tables[i]);
        say_outcomes(labels, &(struct outcomes){.success = QUERIES / 3 - QUERIES / 60, .error = QUERIES / 60});
    }
}

/* A transaction */

TRACKED int place_order(int customer, int amount)
{
    TOUCH();
    return amount > 90 ? -1 : customer;
}

static void transaction(void)
{
    enum {
        ORDERS = 1000
    };
    struct outcomes counts = {0};

    for (int i = 0; i < ORDERS; i++) {
        int result = place_order(i, i % 100);

        counts.success += result >= 0;
        counts.error += result < 0;
    }
    say_outcomes("function=\"place_order\",kind=\"transaction\",transaction=\"order\"", &counts);
}

/* A resource pool */

struct connection_pool {
    const char *name;
    uint32_t in_use;
    uint32_t size;
};

struct connection_pool db_pool = {"db", 0, 8};

TRACKED void *pool_acquire(struct connection_pool *pool)
{
    TOUCH();
    if (pool->in_use == pool->size)
        return NULL;
    pool->in_use++;
    return pool;
}

static void resource(void)
{
    for (int i = 0; i < 12; i++)
        CHECK(!pool_acquire(&db_pool) == (i >= 8));
    db_pool.in_use -= 2;
    say_outcomes("function=\"pool_acquire\"", &(struct outcomes){.success = 8, .throttled = 4});
    say_sample("resource_in_use", "resource=\"db_connections\"", 6);
    say_sample("resource_limit", "resource=\"db_connections\"", 8);
}

/* A health check */

TRACKED bool ping_database(const char *address)
{
    TOUCH();
    return *address != '-';
}

static void health(void)
{
    const char *labels = "function=\"ping_database\",kind=\"health_check\",dependency=\"database\"";
    double before = unix_seconds();

    for (int i = 0; i < 50; i++)
        CHECK(ping_database("db.example.org"));
    CHECK(!ping_database("-"));
    say_outcomes(labels, &(struct outcomes){.success = 50, .error = 1});
    say_sample("health_check_up", labels, 0);
    say_moment("last_success_timestamp_seconds", labels, before, unix_seconds());
}

/* A message processor */

TRACKED int on_message(const char *body, int type)
{
    TOUCH();
    return *body == '!' ? -1 : type;
}

static void message(void)
{
    enum {
        MESSAGES = 900
    };
    static const char *const types[] = {"order", "refund", "audit"};
    char labels[128];

    for (int i = 0; i < MESSAGES; i++)
        CHECK(on_message(i % 9 < 3 ? "!" : "{}", i % 3) >= -1);
    for (int i = 0; i < 3; i++) {
        snprintf(labels, sizeof(labels), "function=\"on_message\",kind=\"message_processor\",type=\"%s\"", types[i]);
        say_outcomes(labels, &(struct outcomes){.success = MESSAGES / 9 * 2, .error = MESSAGES / 9});
    }
}

/* A batch job */

TRACKED long import_orders(const char *path)
{
    TOUCH();
    return *path == '/' ? 1500 : -1;
}

static void job(void)
{
    const char *labels = "function=\"import_orders\",kind=\"batch_job\"";
    double before = unix_seconds();

    for (int i = 0; i < 4; i++)
        CHECK(import_orders("/srv/orders.csv") == 1500);
    CHECK(import_orders("nowhere") < 0);
    say_outcomes(labels, &(struct outcomes){.success = 4, .error = 1});
    say_sample("items_total", labels, 6000);
    say_moment("last_success_timestamp_seconds", labels, before, unix_seconds());
}

/* An upstream call */

TRACKED int http_call(const char *endpoint, const void *body)
{
    static unsigned calls;

    TOUCH();
    CHECK(endpoint && !body);
    return ++calls % 50 == 0 ? 503 : calls % 20 == 1 ? 429 : 200;
}

static void upstream(void)
{
    static const char *const endpoints[] = {"/v1/rates", "/v1/labels"};
    struct outcomes counts[2] = {0};
    char labels[128];

    for (int i = 0; i < 2000; i++) {
        int status = http_call(endpoints[i / 4 % 2], NULL);

        counts[i / 4 % 2].success += status == 200;
        counts[i / 4 % 2].throttled += status == 429;
        counts[i / 4 % 2].error += status == 503;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(labels, sizeof(labels),
                 "function=\"http_call\",kind=\"upstream\",upstream=\"carrier\",endpoint=\"%s\"", endpoints[i]);
        say_outcomes(labels, &counts[i]);
        printf("sample call_errors_total{%s,error_type=\"503\"} %llu\n", labels, (unsigned long long)counts[i].error);
    }
}

/* An HTTP handler */

TRACKED int handle_request(const char *method, const char *route, int request)
{
    TOUCH();
    CHECK(method && route);
    return request % 25 == 24 ? 500 : request % 5 == 0 ? 404 : 200;
}

static void say_handled(const char *method, const char *route, int code, const char *outcome, int calls)
{
    printf("sample calls_total{function=\"handle_request\",kind=\"http_handler\",method=\"%s\",route=\"%s\","
           "code=\"%d\",outcome=\"%s\"} %d\n",
           method, route, code, outcome, calls);
}

static void handler(void)
{
    enum {
        REQUESTS = 500
    };

    for (int i = 0; i < REQUESTS; i++) {
        CHECK(handle_request("GET", "/orders/{id}", i) >= 200);
        CHECK(handle_request("POST", "/orders", i) >= 200);
    }
    say_handled("GET", "/orders/{id}", 200, "success", REQUESTS / 25 * 19);
    say_handled("GET", "/orders/{id}", 404, "success", REQUESTS / 5);
    say_handled("GET", "/orders/{id}", 500, "error", REQUESTS / 25);
    say_handled("POST", "/orders", 200, "success", REQUESTS / 25 * 19);
    say_handled("POST", "/orders", 404, "success", REQUESTS / 5);
    say_handled("POST", "/orders", 500, "error", REQUESTS / 25);
}

/* Rate limiting */

TRACKED int limiter_admit(unsigned *tokens, const char *tenant)
{
    TOUCH();
    if (!tenant)
        return -1;
    return *tokens > 0 ? (int)(*tokens)-- : 0;
}

static void limiter(void)
{
    unsigned tokens = 70;

    for (int i = 0; i < 100; i++)
        CHECK((limiter_admit(&tokens, "acme") > 0) == (i < 70));
    tokens = 20;
    for (int i = 0; i < 20; i++)
        CHECK(limiter_admit(&tokens, "globex") > 0);
    CHECK(limiter_admit(&tokens, NULL) < 0);
    say_outcomes("function=\"limiter_admit\",kind=\"operation\",tenant=\"acme\"",
                 &(struct outcomes){.success = 70, .throttled = 30});
    say_outcomes("function=\"limiter_admit\",kind=\"operation\",tenant=\"globex\"", &(struct outcomes){.success = 20});
    say_outcomes("function=\"limiter_admit\",kind=\"operation\",tenant=\"invalid\"", &(struct outcomes){.error = 1});
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"loop", loop},
                                               {"worker", worker},
                                               {"dependency", dependency},
                                               {"query", query},
                                               {"message", message},
                                               {"resource", resource},
                                               {"transaction", transaction},
                                               {"health", health},
                                               {"upstream", upstream},
                                               {"handler", handler},
                                               {"limiter", limiter},
                                               {"job", job},
                                               {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
