/* Requests served: method and route are arguments, the code is what the handler returns. One request is being served
 * when the program is scraped, and one was left by the end of its thread: of those nobody knows the code. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>
#include <semaphore.h>

enum {
    METHODS = 2,
    ROUTES = 3,
    CODES = 4,
    ROUNDS = 2400,
    REQUEST_OF_WAITING = -1,
    REQUEST_OF_LEAVING = -2
};

static const char *const methods[METHODS] = {"GET", "POST"};
static const char *const routes[ROUTES] = {"/", "/users/{id}", "/search"};
static const int codes[CODES] = {200, 404, 429, 503};
static sem_t inside;
static sem_t may_leave;

TRACKED int handle(const char *method, const char *route, int request)
{
    TOUCH();
    CHECK(method && route);
    if (request == REQUEST_OF_LEAVING)
        pthread_exit(NULL);
    if (request != REQUEST_OF_WAITING)
        return codes[(request / 6) % CODES];
    sem_post(&inside);
    sem_wait(&may_leave);
    return 200;
}

static void *serve(void *request)
{
    handle("PUT", "/slow", (int)(intptr_t)request);
    return NULL;
}

static void say(int method, int route, int code, uint64_t calls)
{
    const char *outcome = codes[code] == 429 ? "throttled" : codes[code] >= 500 ? "error" : "success";
    char labels[160];

    snprintf(labels, sizeof(labels), "function=\"handle\",kind=\"http_handler\",method=\"%s\",route=\"%s\",code=\"%d\"",
             methods[method], routes[route], codes[code]);
    printf("sample calls_total{%s,outcome=\"%s\"} %llu\n", labels, outcome, (unsigned long long)calls);
    printf("total calls_total{%s} %llu\n", labels, (unsigned long long)calls);
    say_sample("call_duration_seconds_count", labels, calls);
}

static void serve_many(void)
{
    uint64_t calls[METHODS][ROUTES][CODES] = {0};

    for (int i = 0; i < ROUNDS; i++) {
        int code = handle(methods[i % METHODS], routes[i % ROUTES], i);

        for (int j = 0; j < CODES; j++)
            calls[i % METHODS][i % ROUTES][j] += code == codes[j];
    }
    for (int i = 0; i < METHODS * ROUTES * CODES; i++)
        say(i / CODES / ROUTES, i / CODES % ROUTES, i % CODES,
            calls[i / CODES / ROUTES][i / CODES % ROUTES][i % CODES]);
}

int main(void)
{
    const char *slow = "function=\"handle\",method=\"PUT\",route=\"/slow\",code=\"\"";
    pthread_t waiting, leaving;
    int failures;

    sem_init(&inside, 0, 0);
    sem_init(&may_leave, 0, 0);
    serve_many();
    pthread_create(&leaving, NULL, serve, (void *)(intptr_t)REQUEST_OF_LEAVING);
    pthread_join(leaving, NULL);
    pthread_create(&waiting, NULL, serve, (void *)(intptr_t)REQUEST_OF_WAITING);
    sem_wait(&inside);
    say_sample("calls_active", slow, 1);
    printf("sample calls_total{%s,outcome=\"abandoned\"} 1\n", slow);
    printf("total calls_active{function=\"handle\",method=\"GET\"} 0\n");
    printf("total calls_active{function=\"handle\"} 1\n");
    printf("total calls_total{function=\"handle\"} %d\n", ROUNDS + 1);
    failures = victim_finish();
    sem_post(&may_leave);
    pthread_join(waiting, NULL);
    return failures;
}
