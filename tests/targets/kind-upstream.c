/* Calls to other services' endpoints, which answer with an HTTP status. */
#include "samples.h"
#include "victim.h"

enum {
    ENDPOINTS = 3,
    STATUSES = 5,
    ROUNDS = 1500
};

static const char *const endpoints[ENDPOINTS] = {"/v1/prices", "/v1/stock?all", "/v2/ship/{id}"};
static const int statuses[STATUSES] = {200, 204, 429, 500, 503};

TRACKED int call_upstream(const char *endpoint, int attempt)
{
    TOUCH();
    CHECK(endpoint && *endpoint == '/');
    return statuses[attempt % STATUSES];
}

static void note(struct outcomes *counts, int status)
{
    counts->error += status >= 500;
    counts->throttled += status == 429;
    counts->success += status < 300;
}

int main(void)
{
    struct outcomes counts[ENDPOINTS] = {0};
    uint64_t errors[ENDPOINTS][2] = {0};
    char labels[256];

    for (int i = 0; i < ROUNDS; i++) {
        int status = call_upstream(endpoints[i % ENDPOINTS], i * 7 / 2);

        note(&counts[i % ENDPOINTS], status);
        if (status >= 500)
            errors[i % ENDPOINTS][status == 503]++;
    }
    for (int i = 0; i < ENDPOINTS; i++) {
        snprintf(labels, sizeof(labels),
                 "function=\"call_upstream\",kind=\"upstream\",upstream=\"warehouse\",endpoint=\"%s\"", endpoints[i]);
        say_outcomes(labels, &counts[i]);
        printf("sample call_errors_total{%s,error_type=\"500\"} %llu\n", labels, (unsigned long long)errors[i][0]);
        printf("sample call_errors_total{%s,error_type=\"503\"} %llu\n", labels, (unsigned long long)errors[i][1]);
    }
    printf("series calls_total{function=\"call_upstream\"} %d\n", ENDPOINTS * 5);
    return victim_finish();
}
