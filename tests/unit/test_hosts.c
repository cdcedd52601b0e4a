/* Which hosts a request may name, by what the endpoint is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "server/http/hosts.h"

static const char *const further[] = {"metrics.example.org", "Box:9464", "[2001:db8::7]", NULL};

static const struct case_of_host {
    const char *local;
    const char *listen;
    const char *host;
    bool is_taken;
} cases[] = {
    {"127.0.0.1", "127.0.0.1:9464", "127.0.0.1:9464", true},
    {"127.0.0.1", "127.0.0.1:9464", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.1:9464", "127.8.9.1:1", true},
    {"127.0.0.1", "127.0.0.1:9464", "128.0.0.1", false},
    {"127.0.0.1", "127.0.0.1:9464", "126.255.255.255", false},
    {"127.0.0.1", "127.0.0.1:9464", "localhost", true},
    {"127.0.0.1", "127.0.0.1:9464", "LocalHost.:80", true},
    {"127.0.0.1", "127.0.0.1:9464", "a.localhost:80", true},
    {"127.0.0.1", "127.0.0.1:9464", "notlocalhost", false},
    {"127.0.0.1", "127.0.0.1:9464", "localhost.evil.example", false},
    {"127.0.0.1", "127.0.0.1:9464", "ocalhost", false},
    {"127.0.0.1", "127.0.0.1:9464", "[::1]:9464", true},
    {"127.0.0.1", "127.0.0.1:9464", "[::1", false},
    {"127.0.0.1", "127.0.0.1:9464", "[::1]x", false},
    {"127.0.0.1", "127.0.0.1:9464", "[::2]", false},
    {"127.0.0.1", "127.0.0.1:9464", "[::ffff:127.0.0.1]", true},
    {"127.0.0.1", "127.0.0.1:9464", "evil.example", false},
    {"127.0.0.1", "127.0.0.1:9464", "evil.example:9464", false},
    {"127.0.0.1", "127.0.0.1:9464", "127.0.0.1.evil.example", false},
    {"127.0.0.1", "127.0.0.1:9464", "127.0.0.1:9464@evil.example", false},
    {"127.0.0.1", "127.0.0.1:9464", "localhost:80x", false},
    {"127.0.0.1", "127.0.0.1:9464", "", false},
    {"127.0.0.1", "127.0.0.1:9464", ".", false},
    {"127.0.0.1", "127.0.0.1:9464", ":9464", false},
    {"127.0.0.1", "127.0.0.1:9464", NULL, true},
    {"127.0.0.1", "127.0.0.1:9464", "metrics.example.org", true},
    {"127.0.0.1", "127.0.0.1:9464", "METRICS.example.org:9464", true},
    {"127.0.0.1", "127.0.0.1:9464", "box", true},
    {"127.0.0.1", "127.0.0.1:9464", "[2001:DB8::7]:80", true},
    {"127.0.0.1", "127.0.0.1:9464", "[2001:db8::8]:80", false},
    {"192.0.2.7", "0.0.0.0:9464", "192.0.2.7:9464", true},
    {"192.0.2.7", "0.0.0.0:9464", "192.0.2.8:9464", false},
    {"192.0.2.7", "shop:9464", "shop", true},
    {"192.0.2.7", "shop:9464", "shops", false},
    {"::ffff:192.0.2.7", "[::]:9464", "192.0.2.7:9464", true},
    {"2001:db8::1", "[::]:9464", "[2001:db8::1]:9464", true},
    {"none", "192.0.2.7:9464", "192.0.2.7:9464", true},
    {"none", "0.0.0.0:9464", "192.0.2.7:9464", false},
    {"none", "0.0.0.0:9464", "localhost", true},
    {"2001:db8::1", "[::]:9464", "[::]", true},
};

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    return storage;
}

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sockaddr_storage local = address_of(cases[i].local);
        const struct hosts hosts = {(const struct sockaddr *)&local, cases[i].listen, further};

        if (hosts_has(&hosts, cases[i].host) != cases[i].is_taken)
            fail_msg("at %s, %s is %s", cases[i].listen, cases[i].host ? cases[i].host : "no host",
                     cases[i].is_taken ? "refused" : "taken");
    }
}

static void test_no_further_ones(void **state)
{
    struct sockaddr_storage local = address_of("127.0.0.1");
    const struct hosts hosts = {(const struct sockaddr *)&local, NULL, NULL};

    (void)state;
    assert_false(hosts_has(&hosts, "box"));
    assert_true(hosts_has(&hosts, "localhost"));
}

/* Nobody can be led to a socket's file by a name. */
static void test_unix_socket(void **state)
{
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    const struct hosts hosts = {(const struct sockaddr *)&local, "unix:/run/x", NULL};

    (void)state;
    assert_true(hosts_has(&hosts, "evil.example"));
}

static void test_long_name(void **state)
{
    struct sockaddr_storage local = address_of("127.0.0.1");
    const struct hosts hosts = {(const struct sockaddr *)&local, NULL, NULL};
    char name[512];

    (void)state;
    memset(name, 'a', sizeof(name));
    strcpy(name + sizeof(name) - sizeof(".localhost"), ".localhost");
    assert_false(hosts_has(&hosts, name));
    strcpy(name + 253 - strlen(".localhost"), ".localhost");
    assert_true(hosts_has(&hosts, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_no_further_ones),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
