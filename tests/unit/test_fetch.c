/* What callmeter panics makes of an endpoint's answer. The server is a child; its clock is scripted. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/cli/fetch.h"
#include "symbols/common/diag.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    DRIPS = 10000, /* a millisecond each */
};

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

static time_t step_seconds; /* that pass from one look at the clock to the next */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    static time_t now;

    (void)clock;
    now += step_seconds;
    *ret_time = (struct timespec){.tv_sec = now};
    return 0;
}

struct server {
    char folder[32];
    char path[64];
    char url[72];
    pid_t child;
};

/* Answers one request, and goes on a byte at a time. */
static void serve(int listening, const char *answer, int drips)
{
    char request[1024];
    int fd = accept(listening, NULL, NULL);

    if (fd < 0 || read(fd, request, sizeof(request)) <= 0)
        _exit(1);
    (void)!write(fd, answer, strlen(answer));
    for (int i = 0; i < drips && write(fd, " ", 1) == 1; i++)
        usleep(1000);
    _exit(0);
}

static void server_start(struct server *server, const char *answer, int drips)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(server->folder, "/tmp/callmeter-fetch.XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->path, sizeof(server->path), "%s/s", server->folder);
    snprintf(server->url, sizeof(server->url), "unix:%s", server->path);
    strcpy(address.sun_path, server->path);
    assert_int_equal(0, bind(fd, (const struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(fd, 1));
    server->child = fork();
    if (server->child == 0) {
        signal(SIGPIPE, SIG_IGN);
        serve(fd, answer, drips);
    }
    close(fd);
}

static void server_end(const struct server *server)
{
    kill(server->child, SIGKILL);
    assert_int_equal(server->child, waitpid(server->child, NULL, 0));
    unlink(server->path);
    rmdir(server->folder);
}

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        int result;
        const char *text; /* the body, or the message */
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", 0, "body"},
        {"HTTP/1.0 200 OK\r\n\r\nbody", 0, "body"},
        {"HTTP/1.1 200 OK\r\ncontent-length:4\r\n\r\nbody", 0, "body"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\n\r\nbody", 0, "body"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", -EPROTO, "the answer is cut short"},
        {"HTTP/1.1 404 Not Found\r\n\r\nbody", -EPROTO, "the endpoint says: 404 Not Found"},
        {"HTTP/1.1 2000 OK\r\n\r\nbody", -EPROTO, "the endpoint says: 2000 OK"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", -EPROTO, "what answers there does not speak HTTP"},
        {"220 mail\r\n\r\n", -EPROTO, "what answers there does not speak HTTP"},
        {"", -EPROTO, "what answers there does not speak HTTP"},
    };

    (void)state;
    step_seconds = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server server;
        struct diag diag = {0};
        char *body = NULL;
        size_t bytes = 0;
        int result;

        server_start(&server, rows[i].answer, 0);
        result = fetch(server.url, "/", &body, &bytes, &diag);
        server_end(&server);
        if (result != rows[i].result || strcmp(result == 0 ? body : diag.text, rows[i].text) != 0 ||
            (result == 0 && bytes != strlen(rows[i].text)))
            fail_msg("%s: %d, %s", rows[i].answer, result, result == 0 ? body : diag.text);
        free(body);
    }
}

static void test_urls(void **state)
{
    static const struct {
        const char *text;
        bool is_url;
    } rows[] = {
        {"http://host", true},    {"ftp://host", true}, {"unix:/s", true}, {"unix", false},    {"host:80", true},
        {"127.0.0.1:0", true},    {"[::1]:9464", true}, {"host:", false},  {":80", false},     {"host:80a", false},
        {"folder/with:1", false}, {"/folder", false},   {"folder", false}, {"http:/x", false}, {"", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (fetch_is_url(rows[i].text) != rows[i].is_url)
            fail_msg("%s", rows[i].text);
}

/* What means no place is refused before anybody is asked. */
static void test_refused(void **state)
{
#define USER     "expected http://host:port, without a user"
#define SCHEME   "expected http:// or unix:, other ways are not spoken here"
#define PORT(is) "\"" is "\" is not a port; expected 0 to 65535"
    static char long_host[300], long_path[200];
    const struct {
        const char *url;
        int result;
        const char *text;
    } rows[] = {
        {"https://host", -EINVAL, SCHEME},
        {"ftp://host", -EINVAL, SCHEME},
        {"http://", -EINVAL, USER},
        {"http:///path", -EINVAL, USER},
        {"http://user@host", -EINVAL, USER},
        {"http://user:word@host:80/", -EINVAL, USER},
        {long_host, -EINVAL, USER},
        {"http://host:65536", -EINVAL, PORT("65536")},
        {"http://host:99999/x", -EINVAL, PORT("99999")},
        {"http://host:000080", -EINVAL, PORT("000080")},
        {"http://host:", -EINVAL, PORT("")},
        {"http://host:8x", -EINVAL, PORT("8x")},
        {"http://[::1]:x", -EINVAL, PORT("x")},
        {"host:65536", -EINVAL, PORT("65536")},
        {"unix:/no/such/socket", -ENOENT, "No such file or directory"},
        {long_path, -ENAMETOOLONG, "File name too long"},
        {"http://127.0.0.1:1", -ECONNREFUSED, "Connection refused"},
        {"HTTP://127.0.0.1:1/x", -ECONNREFUSED, "Connection refused"},
        {"127.0.0.1:1", -ECONNREFUSED, "Connection refused"},
    };

    (void)state;
    memset(long_host, 'h', 263);
    memcpy(long_host, "http://", 7);
    memset(long_path, 's', 113);
    memcpy(long_path, "unix:/", 6);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct diag diag = {0};
        char *body = NULL;
        size_t bytes = 0;
        int result = fetch(rows[i].url, "/", &body, &bytes, &diag);

        if (result != rows[i].result || strcmp(diag.text, rows[i].text) != 0)
            fail_msg("%s: %d, %s", rows[i].url, result, diag.text);
    }
}

/* Listens on a port of the loopback address; the answer is the request. */
static pid_t echo_start(sa_family_t family, char *port, size_t port_bytes)
{
    struct sockaddr_in6 address = {.sin6_family = family};
    socklen_t bytes = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t child;

    if (family == AF_INET6)
        address.sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)(void *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (const void *)&address, bytes) != 0)
        return -1;
    assert_int_equal(0, listen(fd, 1));
    assert_int_equal(0, getsockname(fd, (void *)&address, &bytes));
    snprintf(port, port_bytes, "%d", ntohs(address.sin6_port));
    child = fork();
    if (child == 0) {
        char answer[1200] = "HTTP/1.0 200 OK\r\n\r\n";
        int connection = accept(fd, NULL, NULL);
        ssize_t got = read(connection, answer + 19, 1024);

        _exit(got < 0 || write(connection, answer, 19 + (size_t)got) < 0);
    }
    close(fd);
    return child;
}

/* Who is asked, and for what. `%s` is the port. */
static void test_requests(void **state)
{
    static const struct {
        sa_family_t family;
        const char *url;
        const char *host;
    } rows[] = {
        {AF_INET, "http://127.0.0.1:%s", "127.0.0.1:%s"},
        {AF_INET, "http://127.0.0.1:%s/metrics?x#y", "127.0.0.1:%s"},
        {AF_INET, "http://localhost:%s?x", "localhost:%s"},
        {AF_INET, "127.0.0.1:%s", "127.0.0.1:%s"},
        {AF_INET6, "http://[::1]:%s/", "[::1]:%s"},
        {AF_INET6, "[::1]:%s", "[::1]:%s"},
    };

    (void)state;
    step_seconds = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char port[16], url[64], host[64], expected[256];
        struct diag diag = {0};
        char *body = NULL;
        size_t bytes = 0;
        int status;
        pid_t child = echo_start(rows[i].family, port, sizeof(port));

        if (child < 0)
            continue; /* no IPv6 here */
        snprintf(url, sizeof(url), rows[i].url, port);
        snprintf(host, sizeof(host), rows[i].host, port);
        snprintf(expected, sizeof(expected), "GET /p HTTP/1.0\r\nHost: %s\r\nAccept: application/json\r\n\r\n", host);
        if (fetch(url, "/p", &body, &bytes, &diag) != 0)
            fail_msg("%s: %s", url, diag.text);
        assert_string_equal(body, expected);
        assert_int_equal(bytes, strlen(expected));
        free(body);
        assert_int_equal(child, waitpid(child, &status, 0));
        assert_int_equal(0, status);
    }
}

/* It is never silent for long, but does not come to an end. */
static void test_drip(void **state)
{
    struct server server;
    struct diag diag = {0};
    char *body = NULL;
    size_t bytes = 0;

    (void)state;
    step_seconds = 3;
    server_start(&server, "HTTP/1.1 200 OK\r\n\r\n", DRIPS);
    assert_int_equal(-ETIMEDOUT, fetch(server.url, "/", &body, &bytes, &diag));
    server_end(&server);
    assert_string_equal(strerror(ETIMEDOUT), diag.text);
    assert_null(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_drip), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
