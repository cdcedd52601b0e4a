/* What callmeter panics makes of an endpoint's answer. The server is a child; its clock is scripted. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_drip),
    };

    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
