/* The endpoint, spoken to over bare sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/http/address.h"
#include "tests/unit/http_client.h"

static void start(struct server_process *server, const struct server_options *options)
{
    server_start(server, options);
    assert_int_equal(server->error, 0);
    server_wait_address(server);
}

static void assert_serves(const struct server_process *server)
{
    struct http_answer answer;

    http_request(server->address, "GET /metrics", &answer);
    assert_int_equal(http_status(&answer), 200);
    assert_non_null(strstr(answer.bytes, "callmeter_calls_total{function=\"function_0\""));
    free(answer.bytes);
}

static const struct {
    const char *request;
    int status;
    const char *type;
    const char *body; /* or NULL: any */
} requests[] = {
    {"GET /metrics", 200, "text/plain; version=0.0.4; charset=utf-8", NULL},
    {"GET /metrics?name[]=x", 200, "text/plain; version=0.0.4; charset=utf-8", NULL},
    {"GET http://host:1/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", NULL},
    {"GET /-/healthy", 200, "text/plain; charset=utf-8", "callmeter is healthy.\n"},
    {"GET /-/ready", 200, "text/plain; charset=utf-8", "callmeter is ready.\n"},
    {"HEAD /metrics", 200, "text/plain; version=0.0.4; charset=utf-8", ""},
    {"HEAD /-/healthy", 200, "text/plain; charset=utf-8", ""},
    {"GET /metrics/", 404, "text/plain; charset=utf-8", "not found\n"},
    {"GET /nothing", 404, "text/plain; charset=utf-8", NULL},
    {"GET http://host", 421, "text/plain; charset=utf-8", NULL},
    {"GET /../../etc/passwd", 404, "text/plain; charset=utf-8", NULL},
    {"HEAD /nothing", 404, "text/plain; charset=utf-8", ""},
    {"POST /nothing", 404, "text/plain; charset=utf-8", NULL},
    {"POST /metrics", 405, "text/plain; charset=utf-8", NULL},
    {"PUT /-/healthy", 405, "text/plain; charset=utf-8", NULL},
    {"OPTIONS /metrics", 405, "text/plain; charset=utf-8", NULL},
    {"get /metrics", 405, "text/plain; charset=utf-8", NULL},
};

static void each_page_has_its_status(void **state)
{
    struct server_process server;

    (void)state;
    start(&server, &(struct server_options){0});
    assert_memory_equal(server.address, "127.0.0.1:", 10);
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        struct http_answer answer;
        char value[128] = "";

        http_request(server.address, requests[i].request, &answer);
        if (http_status(&answer) != requests[i].status)
            fail_msg("%s: %d, expected %d", requests[i].request, http_status(&answer), requests[i].status);
        assert_true(http_header(&answer, "Content-Type", value, sizeof(value)));
        assert_string_equal(value, requests[i].type);
        assert_true(http_header(&answer, "Date", value, sizeof(value)));
        assert_true(http_header(&answer, "Content-Length", value, sizeof(value)));
        if (strncmp(requests[i].request, "HEAD", 4) != 0)
            assert_int_equal(atoi(value), strlen(http_body(&answer)));
        else if (strstr(requests[i].request, "healthy"))
            assert_int_equal(atoi(value), strlen("callmeter is healthy.\n"));
        else
            assert_true(atoi(value) > 0);
        if (requests[i].body)
            assert_string_equal(http_body(&answer), requests[i].body);
        assert_int_equal(http_header(&answer, "Allow", value, sizeof(value)), requests[i].status == 405);
        if (requests[i].status == 405)
            assert_string_equal(value, "GET, HEAD");
        free(answer.bytes);
    }
    server_stop(&server);
}

/* It answers, and a supervisor that restarts what is not healthy need not kill it: that is the operator's to decide. */
static void a_recovered_program_is_tainted(void **state)
{
    struct server_process server;
    struct http_answer answer;

    (void)state;
    start(&server, &(struct server_options){.is_tainted = true});
    http_request(server.address, "GET /-/healthy", &answer);
    assert_int_equal(http_status(&answer), 200);
    assert_string_equal(http_body(&answer), "tainted\n");
    free(answer.bytes);
    server_stop(&server);
}

static void a_program_that_starts_is_not_ready(void **state)
{
    struct server_process server;
    struct http_answer answer;

    (void)state;
    start(&server, &(struct server_options){.is_starting = true});
    http_request(server.address, "GET /-/ready", &answer);
    assert_int_equal(http_status(&answer), 503);
    assert_string_equal(http_body(&answer), "callmeter is starting.\n");
    free(answer.bytes);
    assert_serves(&server);
    server_stop(&server);
}

static void scrapes_are_counted_by_status(void **state)
{
    struct server_process server;
    struct http_answer answer;

    (void)state;
    start(&server, &(struct server_options){0});
    http_request(server.address, "GET /metrics", &answer);
    assert_non_null(strstr(answer.bytes, "\ncallmeter_scrapes_total{code=\"200\"} 0\n"));
    assert_non_null(strstr(answer.bytes, "\ncallmeter_scrape_duration_seconds 0\n"));
    free(answer.bytes);
    http_request(server.address, "POST /metrics", &answer);
    free(answer.bytes);
    http_request(server.address, "GET /-/healthy", &answer);
    free(answer.bytes);
    http_request(server.address, "GET /metrics", &answer);
    assert_non_null(strstr(answer.bytes, "\ncallmeter_scrapes_total{code=\"200\"} 1\n"));
    assert_non_null(strstr(answer.bytes, "\ncallmeter_scrapes_total{code=\"405\"} 1\n"));
    assert_null(strstr(answer.bytes, "\ncallmeter_scrape_duration_seconds 0\n"));
    free(answer.bytes);
    server_stop(&server);
}

static double unix_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The segment has ticks; the endpoint reads both clocks. */
static void moments_are_unix_times(void **state)
{
    static const char name[] = "\ncallmeter_last_call_timestamp_seconds{";
    struct server_process server;
    struct http_answer answer;
    const char *found;
    double before;
    double moment;

    (void)state;
    start(&server, &(struct server_options){0});
    before = unix_seconds();
    http_request(server.address, "GET /metrics", &answer);
    found = strstr(answer.bytes, name);
    assert_non_null(found);
    moment = strtod(strstr(found, "} ") + 2, NULL) + SERVER_CALL_AGE_SECONDS;
    assert_true(moment >= before - 1e-5 && moment <= unix_seconds() + 1e-5);
    free(answer.bytes);
    server_stop(&server);
}

/* Without a scrape, and while another has the address. */
static void the_periodic_function_is_called(void **state)
{
    struct server_process server;
    struct server_process waiting;

    (void)state;
    start(&server, &(struct server_options){.periodic_ms = 20});
    server_command(&server, 'p');
    assert_serves(&server);
    server_command(&server, 'p');
    server_start(&waiting, &(struct server_options){.listen = server.address, .periodic_ms = 20});
    assert_int_equal(waiting.error, 0);
    server_command(&waiting, 'p');
    server_stop(&server);
    server_wait_address(&waiting);
    server_command(&waiting, 'p');
    server_stop(&waiting);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (; (text = strstr(text, word)); text += strlen(word))
        count++;
    return count;
}

static void a_connection_serves_many_requests(void **state)
{
    struct server_process server;
    struct http_answer answer;
    int fd;

    (void)state;
    start(&server, &(struct server_options){0});
    fd = http_connect(server.address);
    http_send(
        fd, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbodyHEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    http_read_all(fd, &answer);
    assert_int_equal(count_of(answer.bytes, "HTTP/1.1 200 OK\r\n"), 4);
    assert_int_equal(count_of(answer.bytes, "HTTP/1.1 404 Not Found\r\n"), 1);
    assert_string_equal(answer.bytes + answer.count - strlen("ready.\n"), "ready.\n");
    free(answer.bytes);
    server_stop(&server);
}

static const struct {
    const char *bytes;
    int status; /* 0: no answer is waited for */
} garbage[] = {
    {"", 0},
    {"\r\n\r\n\r\n", 0},
    {"GET /metr", 0},
    {"GET\r\n\r\n", 0},
    {"\x16\x03\x01\x02\x00\x01", 0},
    {"\x16\x03\x01 a TLS client\r\n\r\n", 400},
    {"GET /metrics HTTP/9.9\r\n\r\n", 505},
    {"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400},
    {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
    {"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 405},
    {"GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /metrics%00/../x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /metrics%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /%6detrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
    {"GET /%4detrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /metrics%2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /metrics% HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
    {"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nbody", 400},
    {"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"GET /metrics HTTP/1.0\r\n\r\n", 200},
};

static void old_and_broken_clients_do_no_harm(void **state)
{
    static char long_request[200000];
    struct server_process server;
    struct http_answer answer;
    int fd;

    (void)state;
    start(&server, &(struct server_options){0});
    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        fd = http_connect(server.address);
        http_send(fd, garbage[i].bytes);
        if (!garbage[i].status) {
            close(fd);
            continue;
        }
        http_read_all(fd, &answer);
        if (http_status(&answer) != garbage[i].status)
            fail_msg("\"%s\": %s", garbage[i].bytes, answer.bytes);
        free(answer.bytes);
    }
    memset(long_request, 'a', sizeof(long_request) - 1);
    memcpy(long_request, "GET /", 5);
    fd = http_connect(server.address);
    send(fd, long_request, sizeof(long_request) - 1, MSG_NOSIGNAL);
    http_read_all(fd, &answer);
    free(answer.bytes);
    assert_serves(&server);
    server_stop(&server);
}

/* More connections that say nothing, or half of something, than there are places. */
static void idle_connections_make_room(void **state)
{
    enum {
        IDLE = 60
    };
    struct server_process server;
    int idle[IDLE];

    (void)state;
    start(&server, &(struct server_options){0});
    for (int i = 0; i < IDLE; i++) {
        idle[i] = http_connect(server.address);
        assert_true(idle[i] >= 0);
        if (i % 2)
            http_send(idle[i], "GET /metrics HTTP/1.1\r\nHo");
    }
    assert_serves(&server);
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    assert_serves(&server);
    server_stop(&server);
}

/* Clients by the hundred that send nothing, or half a request, or do not read: none of them keeps a scraper out, and
 * the ones without a request go first. */
static void crowds_keep_no_scraper_out(void **state)
{
    enum {
        CROWD = 200,
        KINDS = 3
    };
    static const char *const requests_sent[KINDS] = {NULL, "GET /metrics HTTP/1.1\r\nHo",
                                                     "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"};
    struct server_process server;
    int crowd[CROWD];

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        start(&server, &(struct server_options){0});
        for (int i = 0; i < CROWD; i++) {
            crowd[i] = http_connect(server.address);
            assert_true(crowd[i] >= 0);
            if (requests_sent[kind])
                http_send(crowd[i], requests_sent[kind]);
        }
        assert_serves(&server);
        for (int i = 0; i < CROWD; i++)
            close(crowd[i]);
        server_stop(&server);
    }
}

/* Expositions of several megabytes whose clients do not read: others are served, memory stays bounded, and those that
 * read at last get all of it. */
static void slow_readers_hold_up_nobody(void **state)
{
    enum {
        SLOW = 6
    };
    struct server_process server;
    struct http_answer answer;
    int slow[SLOW];

    (void)state;
    start(&server, &(struct server_options){.functions = 3000});
    for (int i = 0; i < SLOW; i++) {
        slow[i] = http_connect(server.address);
        http_send(slow[i], "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }
    assert_serves(&server);
    http_read_all(slow[0], &answer);
    assert_int_equal(http_status(&answer), 200);
    assert_string_equal(answer.bytes + answer.count - 1, "\n");
    assert_non_null(strstr(answer.bytes, "\nprocess_virtual_memory_bytes "));
    free(answer.bytes);
    for (int i = 1; i < SLOW; i++)
        close(slow[i]);
    assert_serves(&server);
    server_stop(&server);
}

/* What is on its way to clients that do not read is bounded: a further scrape is told to wait, and what was sent or
 * given up counts no more. */
static void scrapes_on_their_way_are_bounded(void **state)
{
    enum {
        FUNCTIONS = 6000,
        SLOW = 30
    };
    struct server_process server;
    struct http_answer answer;
    int slow[SLOW];
    size_t sent = 0;
    int status;

    (void)state;
    start(&server, &(struct server_options){.functions = FUNCTIONS});
    while (sent < (80 << 20)) {
        http_request(server.address, "GET /metrics", &answer);
        assert_int_equal(http_status(&answer), 200);
        assert_true(answer.count > 3 << 20);
        sent += answer.count;
        free(answer.bytes);
    }
    for (int i = 0; i < SLOW; i++) {
        slow[i] = http_connect(server.address);
        http_send(slow[i], "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }
    http_request(server.address, "GET /metrics", &answer);
    assert_int_equal(http_status(&answer), 503);
    assert_string_equal(http_body(&answer), "earlier scrapes are still being sent\n");
    free(answer.bytes);
    http_request(server.address, "GET /-/healthy", &answer);
    assert_int_equal(http_status(&answer), 200);
    free(answer.bytes);
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    do { /* until the server has seen that they are gone */
        http_request(server.address, "GET /metrics", &answer);
        status = http_status(&answer);
        free(answer.bytes);
    } while (status == 503);
    assert_int_equal(status, 200);
    server_stop(&server);
}

/* Deadlines -------------------------------------------------------------------------------------------------------- */

#define SECOND_NS UINT64_C(1000000000)

/* The endpoint's clock; shared with the servers' processes. */
static struct {
    _Atomic uint64_t stands_at_ns; /* 0: it runs */
    _Atomic uint64_t ahead_ns;
} * script;

uint64_t __real_routes_now_ns(void);
uint64_t __wrap_routes_now_ns(void);

uint64_t __wrap_routes_now_ns(void)
{
    uint64_t stands_at_ns = script->stands_at_ns;

    return (stands_at_ns ? stands_at_ns : __real_routes_now_ns()) + script->ahead_ns;
}

/* However long the machine takes, only the script's time passes. */
static void stop_clock(void)
{
    script->stands_at_ns = __real_routes_now_ns();
}

static void run_clock(void)
{
    script->stands_at_ns = 0;
    script->ahead_ns = 0;
}

/* Returns when the endpoint has looked at its clock since. */
static void pass_seconds(const struct server_process *server, unsigned seconds)
{
    struct http_answer answer;

    script->ahead_ns += seconds * SECOND_NS;
    for (int turns = 0; turns < 2; turns++) {
        http_request(server->address, "GET /-/healthy", &answer);
        free(answer.bytes);
    }
}

/* Connected, and accepted at this very time: a later connection is served. */
static int connect_now(const struct server_process *server)
{
    int fd = http_connect(server->address);

    pass_seconds(server, 0);
    return fd;
}

static bool is_cut(int fd)
{
    char byte;
    ssize_t count = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return count == 0 || (count < 0 && errno != EAGAIN);
}

static bool is_cut_at_last(void *context)
{
    return is_cut(*(int *)context);
}

/* A byte each second: none of the pauses is long. */
static void drip(const struct server_process *server, int fd, unsigned seconds)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    for (unsigned i = 0; i < seconds; i++) {
        if (is_cut(fd))
            fail_msg("it is cut after %u seconds", i);
        assert_int_equal(send(fd, &request[i], 1, MSG_NOSIGNAL), 1);
        pass_seconds(server, 1);
    }
}

/* Clients that have sent no whole request have all there is: places, or descriptors where the process may have no more.
 * They need not be old: six milliseconds pass. The `first` of them do not take all, and all of them are a few too many:
 * those that come in the last moment are too young to go. */
static void crowd_gives_way(int first, int count, rlim_t descriptors)
{
    enum {
        CROWD_MAX = 140,
        DEADLINE_MS = 5000 /* libmicrohttpd lets idle ones go after ten seconds */
    };
    const struct rlimit limit = {descriptors, descriptors};
    struct server_process server;
    struct pollfd scraper = {.events = POLLIN};
    int crowd[CROWD_MAX];

    start(&server, &(struct server_options){0});
    assert_int_equal(prlimit(server.pid, RLIMIT_NOFILE, &limit, NULL), 0);
    for (int i = 0; i < first; i++)
        crowd[i] = http_connect(server.address);
    assert_serves(&server);
    stop_clock();
    for (int i = first; i < count; i++)
        crowd[i] = http_connect(server.address);
    script->ahead_ns += 6 * SECOND_NS / 1000;
    scraper.fd = http_connect(server.address);
    http_send(scraper.fd, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(poll(&scraper, 1, DEADLINE_MS), 1);
    close(scraper.fd);
    run_clock();
    for (int i = 0; i < count; i++)
        close(crowd[i]);
    server_stop(&server);
}

static void who_has_sent_nothing_gives_way_at_once(void **state)
{
    (void)state;
    crowd_gives_way(100, 140, 1024);
}

static void who_has_sent_nothing_gives_his_descriptor(void **state)
{
    (void)state;
    crowd_gives_way(10, 45, 40);
}

static void a_dripping_request_is_cut(void **state)
{
    struct server_process server;
    int fd;

    (void)state;
    start(&server, &(struct server_options){0});
    stop_clock();
    fd = connect_now(&server);
    drip(&server, fd, 29);
    assert_false(is_cut(fd));
    send(fd, "a", 1, MSG_NOSIGNAL);
    script->ahead_ns += SECOND_NS;
    assert_serves(&server);
    assert_true(wait_until(is_cut_at_last, &fd));
    close(fd);
    assert_serves(&server);
    server_stop(&server);
    run_clock();
}

/* Nobody wakes the endpoint then: it ends by itself what is overdue, or libmicrohttpd does. */
static void a_request_that_stands_still_is_cut(void **state)
{
    struct server_process server;
    int fd;

    (void)state;
    start(&server, &(struct server_options){0});
    fd = connect_now(&server);
    drip(&server, fd, 20);
    script->ahead_ns += 9 * SECOND_NS;
    assert_true(wait_until(is_cut_at_last, &fd));
    close(fd);
    server_stop(&server);
    run_clock();
}

/* One answer of a connection that goes on, of which the first bytes are read already. */
static void read_rest(int fd, char *head, size_t count)
{
    static char bytes[1 << 16];
    const char *end = NULL;
    size_t left;

    while (!end) {
        assert_int_equal(recv(fd, &head[count++], 1, 0), 1);
        head[count] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    left = strtoul(strstr(head, "Content-Length: ") + 16, NULL, 10);
    assert_true(left > 1000000);
    while (left > 0) {
        ssize_t got = recv(fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes), 0);

        assert_true(got > 0);
        left -= (size_t)got;
    }
}

/* Its header, its answer, and what comes behind that. */
static void each_request_has_its_own_time(void **state)
{
    struct server_process server;
    char head[1024];
    int fd;

    (void)state;
    start(&server, &(struct server_options){.functions = 3000});
    stop_clock();
    fd = connect_now(&server);
    drip(&server, fd, sizeof("GET /metrics HTTP/1.1") - 1);
    http_send(fd, "\r\nHost: x\r\n\r\n");
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(recv(fd, &head[i], 1, 0), 1);
        pass_seconds(&server, 1);
    }
    read_rest(fd, head, 20);
    pass_seconds(&server, 0);
    drip(&server, fd, 20);
    assert_false(is_cut(fd));
    pass_seconds(&server, 11);
    assert_true(wait_until(is_cut_at_last, &fd));
    close(fd);
    server_stop(&server);
    run_clock();
}

/* An answer of several megabytes, begun to be read a byte each second; and the rest after all that time. Is it whole?
 */
static bool is_answered_whole_after(unsigned seconds)
{
    struct server_process server;
    struct http_answer answer;
    char value[32];
    char head[512];
    bool is_whole;
    int fd;

    start(&server, &(struct server_options){.functions = 3000});
    stop_clock();
    fd = connect_now(&server);
    http_send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (unsigned i = 0; i < seconds; i++) {
        assert_int_equal(recv(fd, &head[i], 1, 0), 1);
        pass_seconds(&server, 1);
    }
    http_read_all(fd, &answer);
    answer.bytes = realloc(answer.bytes, answer.count + seconds + 1);
    assert_non_null(answer.bytes);
    memmove(answer.bytes + seconds, answer.bytes, answer.count + 1);
    memcpy(answer.bytes, head, seconds);
    assert_true(http_header(&answer, "Content-Length", value, sizeof(value)));
    assert_true(atoi(value) > 1000000);
    is_whole = strlen(http_body(&answer)) == (size_t)atoi(value);
    free(answer.bytes);
    assert_serves(&server);
    server_stop(&server);
    run_clock();
    return is_whole;
}

static void an_answer_that_is_read_in_drips_is_cut(void **state)
{
    (void)state;
    assert_true(is_answered_whole_after(29));
    assert_false(is_answered_whole_after(30));
}

static size_t count_descriptors(pid_t pid, bool is_low_only)
{
    char path[64];
    const struct dirent *entry;
    size_t count = 0;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.' && !(is_low_only && atoi(entry->d_name) >= 512);
    closedir(folder);
    return count;
}

/* Reads /proc/PID/task/TID/status of the thread of that name. */
static bool read_thread_status(pid_t pid, const char *name, char *status, size_t size)
{
    char path[128];
    char line[64];
    const struct dirent *entry;
    bool is_found = false;
    DIR *folder;

    snprintf(line, sizeof(line), "Name:\t%s\n", name);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    folder = opendir(path);
    assert_non_null(folder);
    while (!is_found && (entry = readdir(folder))) {
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)pid, entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file)
            continue;
        status[fread(status, 1, size - 1, file)] = '\0';
        fclose(file);
        is_found = strncmp(status, line, strlen(line)) == 0;
    }
    closedir(folder);
    return is_found;
}

static void the_thread_is_a_quiet_guest(void **state)
{
    struct server_process server;
    char status[8192];
    const char *blocked;

    (void)state;
    start(&server, &(struct server_options){0});
    assert_true(read_thread_status(server.pid, "callmeter", status, sizeof(status)));
    blocked = strstr(status, "SigBlk:\t");
    assert_non_null(blocked);
    /* All but SIGKILL, SIGSTOP and the two that the C library keeps for itself. */
    assert_int_equal(strtoull(blocked + 8, NULL, 16), ~(UINT64_C(1) << 8 | UINT64_C(1) << 18 | UINT64_C(3) << 31));
    server_stop(&server);
}

/* Nobody in this process has asked for the time zone before the program does. */
static void the_programs_time_zone_is_its_own(void **state)
{
    struct server_process server;
    struct http_answer answer;
    int fd;

    (void)state;
    start(&server, &(struct server_options){0});
    assert_serves(&server);
    fd = http_connect(server.address);
    http_send(fd, "GET / HTTP/9.9\r\n\r\n"); /* which libmicrohttpd answers by itself */
    http_read_all(fd, &answer);
    assert_int_equal(http_status(&answer), 505);
    free(answer.bytes);
    server_command(&server, 't');
    assert_true(server_has_logged(&server, "TZ is heeded"));
    server_stop(&server);
}

static void the_log_reaches_the_programs_standard_error(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct server_process server;

        start(&server, &(struct server_options){.is_table_shared = i == 1, .is_getfd_forbidden = i == 2});
        assert_true(server_has_logged(&server, "2 listening on http://127.0.0.1:"));
        server_stop(&server);
    }
}

/* What a daemon does when it starts. */
static void the_program_may_close_and_reuse_all_descriptors(void **state)
{
    struct server_process server;
    size_t before;
    int idle;

    (void)state;
    start(&server, &(struct server_options){0});
    idle = http_connect(server.address);
    assert_serves(&server);
    before = count_descriptors(server.pid, false);
    assert_true(before <= 4); /* standard ones and the control socket */
    server_command(&server, 'c');
    for (int i = 0; i < 10; i++)
        assert_serves(&server);
    close(idle);
    assert_serves(&server);
    assert_int_equal(count_descriptors(server.pid, false), before + 20);
    server_stop(&server);
}

static void a_child_does_not_keep_the_port(void **state)
{
    struct server_process server;

    (void)state;
    start(&server, &(struct server_options){0});
    server_command(&server, 'f');
    assert_serves(&server);
    server_kill(&server);
    assert_int_equal(http_connect(server.address), -1);
    server_stop(&server);
}

/* Where the thread cannot have descriptors of its own. */
static void a_shared_table_is_lived_with(void **state)
{
    struct server_process server;

    (void)state;
    start(&server, &(struct server_options){.is_table_shared = true});
    assert_serves(&server);
    assert_true(count_descriptors(server.pid, false) > 4);
    assert_true(count_descriptors(server.pid, true) <= 5); /* the daemon's epoll set is where libmicrohttpd put it */
    server_stop(&server);
}

/* The address may change more than once: the endpoint may be opened again while descriptors are still being closed. */
static bool serves_at_last(void *context)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    struct server_process *server = context;
    struct http_answer answer;
    int status;
    int fd;

    server_wait_address(server);
    fd = http_connect(server->address);
    if (fd < 0)
        return false;
    send(fd, request, strlen(request), MSG_NOSIGNAL);
    http_read_all(fd, &answer);
    status = http_status(&answer);
    free(answer.bytes);
    return status == 200;
}

static void a_shared_table_may_be_closed_and_reused(void **state)
{
    struct server_process server;
    int fd;

    (void)state;
    start(&server, &(struct server_options){.is_table_shared = true});
    fd = http_connect(server.address);
    http_send(fd, "GET /metrics HTTP/1.1\r\n");
    server_command(&server, 'c');
    close(fd);
    assert_true(wait_until(serves_at_last, &server));
    assert_true(server_has_logged(&server, "opening it again"));
    server_stop(&server);
}

static void a_taken_address_is_taken_over_when_it_is_free(void **state)
{
    struct server_process first;
    struct server_process second;

    (void)state;
    start(&first, &(struct server_options){0});
    server_start(&second, &(struct server_options){.listen = first.address});
    assert_int_equal(second.error, 0);
    assert_true(server_has_logged(&second, "1 the address 127.0.0.1:"));
    assert_true(server_has_logged(&second, "is taken; trying again every second\n"));
    assert_false(server_has_logged(&second, "listening on"));
    server_kill(&first);
    server_wait_address(&second);
    assert_string_equal(second.address, first.address);
    assert_serves(&second);
    assert_true(server_has_logged(&second, "2 listening on http://127.0.0.1:"));
    server_stop(&second);
    server_stop(&first);
}

static void a_unix_socket_is_private_and_replaced_when_stale(void **state)
{
    struct server_process servers[3];
    struct stat status;
    char path[64] = "/tmp/test_http_socket.XXXXXX";
    char listen[80];

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(listen, sizeof(listen), "unix:%s/s", path);
    start(&servers[0], &(struct server_options){.listen = listen});
    assert_string_equal(servers[0].address, listen);
    assert_int_equal(stat(listen + 5, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_serves(&servers[0]);
    server_start(&servers[1], &(struct server_options){.listen = listen});
    assert_true(server_has_logged(&servers[1], "is taken"));
    assert_serves(&servers[0]);
    server_kill(&servers[0]);
    server_wait_address(&servers[1]);
    assert_serves(&servers[1]);
    server_kill(&servers[1]);
    start(&servers[2], &(struct server_options){.listen = listen}); /* at once: the file is stale */
    assert_false(server_has_logged(&servers[2], "is taken"));
    for (int i = 0; i < 3; i++)
        server_stop(&servers[i]);
    unlink(listen + 5);
    assert_int_equal(rmdir(path), 0);
}

static void all_addresses_and_ipv6_are_understood(void **state)
{
    static const char *const listens[] = {":0", "[::1]:0", "localhost:0", "0.0.0.0:0"};

    (void)state;
    for (size_t i = 0; i < sizeof(listens) / sizeof(*listens); i++) {
        struct server_process server;

        server_start(&server, &(struct server_options){.listen = listens[i]});
        if (server.error == -EADDRNOTAVAIL || server.error == -EAFNOSUPPORT) {
            server_stop(&server); /* a machine without IPv6 */
            continue;
        }
        assert_int_equal(server.error, 0);
        server_wait_address(&server);
        assert_serves(&server);
        assert_int_equal(server_has_logged(&server, "there is no authentication"), i == 0 || i == 3);
        server_stop(&server);
    }
}

static void a_relative_port_file_stays_where_it_was_meant(void **state)
{
    struct server_process server;

    (void)state;
    start(&server, &(struct server_options){.relative_port_file = "port"});
    assert_serves(&server);
    server_stop(&server);
}

/* A link may lead to anybody's file, and a device is no file at all. */
static void a_port_file_takes_the_place_of_files_alone(void **state)
{
    char folder[] = "/tmp/test_http.XXXXXX";
    char file[64];
    char other[64];
    char link_to[64];
    char text[32] = "";
    struct stat status;
    FILE *stream;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/file", folder);
    snprintf(other, sizeof(other), "%s/fifo", folder);
    snprintf(link_to, sizeof(link_to), "%s/link", folder);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(symlink(file, link_to), 0);
    assert_int_equal(address_write_file(file, "old"), 0);
    assert_int_equal(address_write_file(file, "new"), 0);
    assert_int_equal(address_write_file(other, "new"), -EEXIST);
    assert_int_equal(address_write_file(link_to, "newer"), -EEXIST);
    assert_int_equal(address_write_file("/nonexistent/port", "new"), -ENOENT);
    assert_true(lstat(other, &status) == 0 && S_ISFIFO(status.st_mode));
    assert_true(lstat(link_to, &status) == 0 && S_ISLNK(status.st_mode));
    stream = fopen(file, "r");
    assert_non_null(stream);
    assert_int_equal(fread(text, 1, sizeof(text) - 1, stream), 4);
    fclose(stream);
    assert_string_equal(text, "new\n");
    unlink(file);
    unlink(other);
    unlink(link_to);
    assert_int_equal(rmdir(folder), 0); /* nothing else is left */
}

static const struct {
    const char *listen;
    int error;
    const char *text;
} bad_addresses[] = {
    {"", -EINVAL, "expected host:port"},
    {"9464", -EINVAL, "expected host:port"},
    {"127.0.0.1", -EINVAL, "expected host:port"},
    {"127.0.0.1:", -EINVAL, "expected host:port"},
    {"127.0.0.1:65536", -EINVAL, "expected host:port"},
    {"127.0.0.1:+1", -EINVAL, "expected host:port"},
    {"127.0.0.1:80x", -EINVAL, "expected host:port"},
    {"::1:9464", -EINVAL, "expected host:port"},
    {"[::1]", -EINVAL, "expected host:port"},
    {"[]:1", -EINVAL, "expected host:port"},
    {"[::1:1", -EINVAL, "expected host:port"},
    {"[127.0.0.1]:1", -EINVAL, "is not known"},
    {"no such host:1", -EINVAL, "is not known"},
    {"unix:", -EINVAL, "absolute path"},
    {"unix:relative", -EINVAL, "absolute path"},
    {"unix:/tmp/"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     -EINVAL, "less than 108 bytes"},
    {"unix:/no/such/folder/s", -ENOENT, "cannot listen on unix:/no/such/folder/s: No such file"},
    {"192.0.2.1:0", -EADDRNOTAVAIL, "cannot listen on 192.0.2.1:0: "},
};

static void a_bad_address_is_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(*bad_addresses); i++) {
        struct server_process server;

        server_start(&server, &(struct server_options){.listen = bad_addresses[i].listen});
        if (server.error != bad_addresses[i].error || !strstr(server.text, bad_addresses[i].text))
            fail_msg("%s: %d, %s", bad_addresses[i].listen, server.error, server.text);
        server_stop(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page_has_its_status),
        cmocka_unit_test(a_recovered_program_is_tainted),
        cmocka_unit_test(a_program_that_starts_is_not_ready),
        cmocka_unit_test(scrapes_are_counted_by_status),
        cmocka_unit_test(moments_are_unix_times),
        cmocka_unit_test(the_periodic_function_is_called),
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(old_and_broken_clients_do_no_harm),
        cmocka_unit_test(idle_connections_make_room),
        cmocka_unit_test(crowds_keep_no_scraper_out),
        cmocka_unit_test(slow_readers_hold_up_nobody),
        cmocka_unit_test(scrapes_on_their_way_are_bounded),
        cmocka_unit_test(who_has_sent_nothing_gives_way_at_once),
        cmocka_unit_test(who_has_sent_nothing_gives_his_descriptor),
        cmocka_unit_test(a_dripping_request_is_cut),
        cmocka_unit_test(a_request_that_stands_still_is_cut),
        cmocka_unit_test(each_request_has_its_own_time),
        cmocka_unit_test(an_answer_that_is_read_in_drips_is_cut),
        cmocka_unit_test(the_thread_is_a_quiet_guest),
        cmocka_unit_test(the_programs_time_zone_is_its_own),
        cmocka_unit_test(the_log_reaches_the_programs_standard_error),
        cmocka_unit_test(the_program_may_close_and_reuse_all_descriptors),
        cmocka_unit_test(a_child_does_not_keep_the_port),
        cmocka_unit_test(a_shared_table_is_lived_with),
        cmocka_unit_test(a_shared_table_may_be_closed_and_reused),
        cmocka_unit_test(a_taken_address_is_taken_over_when_it_is_free),
        cmocka_unit_test(a_unix_socket_is_private_and_replaced_when_stale),
        cmocka_unit_test(all_addresses_and_ipv6_are_understood),
        cmocka_unit_test(a_relative_port_file_stays_where_it_was_meant),
        cmocka_unit_test(a_port_file_takes_the_place_of_files_alone),
        cmocka_unit_test(a_bad_address_is_refused_with_the_reason),
    };

    script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (script == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
