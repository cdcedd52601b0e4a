/* Coroutines by swapcontext that are suspended in tracked calls, and finish in another order or on another thread. */
#include "victim.h"

#include <pthread.h>
#include <stdlib.h>
#include <ucontext.h>

enum {
    COROUTINES = 8,
    ROUNDS = 200,
    STACK_BYTES = 65536
};

struct coroutine {
    ucontext_t context;
    ucontext_t *back;
    int steps_left;
    int result;
    int is_done;
    char *stack;
};

static struct coroutine coroutines[COROUTINES];

static void yield_from(struct coroutine *self)
{
    swapcontext(&self->context, self->back);
}

TRACKED int step(struct coroutine *self, int value)
{
    yield_from(self);
    TOUCH();
    return value + 1;
}

TRACKED int work(struct coroutine *self)
{
    int sum = 0;

    while (self->steps_left-- > 0)
        sum = step(self, sum);
    TOUCH();
    return sum;
}

TRACKED int resume(struct coroutine *self)
{
    ucontext_t here;

    self->back = &here;
    swapcontext(&here, &self->context);
    TOUCH();
    return self->is_done;
}

static void body(int index)
{
    struct coroutine *self = &coroutines[index];

    self->result = work(self);
    self->is_done = 1;
    for (;;)
        yield_from(self);
}

static void prepare(int index, int steps)
{
    struct coroutine *self = &coroutines[index];

    if (!self->stack)
        self->stack = malloc(STACK_BYTES);
    self->steps_left = steps;
    self->is_done = 0;
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = self->stack;
    self->context.uc_stack.ss_size = STACK_BYTES;
    self->context.uc_link = NULL;
    makecontext(&self->context, (void (*)(void))body, 1, index);
}

/* Steps of coroutine i, chosen so that none ends in the order in which they began. */
static int steps_of(int index)
{
    return 1 + (index * 5 + 3) % COROUTINES;
}

static int resume_all_until_done(int from)
{
    int resumed = 0;
    int running = COROUTINES;

    while (running > 0) {
        running = 0;
        for (int i = 0; i < COROUTINES; i++) {
            struct coroutine *self = &coroutines[(i * 3 + from) % COROUTINES];

            if (self->is_done)
                continue;
            resumed++;
            running += !resume(self);
        }
    }
    for (int i = 0; i < COROUTINES; i++)
        CHECK(coroutines[i].result == steps_of(i));
    return resumed;
}

static int steps_in_all(void)
{
    int steps = 0;

    for (int i = 0; i < COROUTINES; i++)
        steps += steps_of(i);
    return steps;
}

static void out_of_order(void)
{
    int resumed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COROUTINES; i++)
            prepare(i, steps_of(i));
        resumed += resume_all_until_done(round);
    }
    printf("truth work success=%d\n", ROUNDS * COROUTINES);
    printf("truth step success=%d\n", ROUNDS * steps_in_all());
    printf("truth resume success=%d\n", resumed);
}

static void *begin_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < COROUTINES; i++)
        CHECK(!resume(&coroutines[i]));
    return NULL;
}

static void *finish_all(void *resumed)
{
    *(int *)resumed += resume_all_until_done(1);
    return NULL;
}

static void run_thread(void *(*routine)(void *), void *argument)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, routine, argument) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Begun on a thread that is gone when another one finishes them. */
static void migrate(void)
{
    int resumed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COROUTINES; i++)
            prepare(i, steps_of(i));
        run_thread(begin_all, NULL);
        run_thread(finish_all, &resumed);
    }
    printf("truth work success=%d\n", ROUNDS * COROUTINES);
    printf("truth step success=%d\n", ROUNDS * steps_in_all());
    printf("truth resume success=%d\n", resumed + ROUNDS * COROUTINES);
}

/* Begun here, finished there, while both threads live. */
static void migrate_from_main(void)
{
    int resumed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COROUTINES; i++)
            prepare(i, steps_of(i));
        begin_all(NULL);
        run_thread(finish_all, &resumed);
    }
    printf("truth work success=%d\n", ROUNDS * COROUTINES);
    printf("truth step success=%d\n", ROUNDS * steps_in_all());
    printf("truth resume success=%d\n", resumed + ROUNDS * COROUTINES);
}

static void suspended(void)
{
    for (int i = 0; i < COROUTINES; i++)
        prepare(i, 3);
    begin_all(NULL);
    for (int i = 0; i < 3; i++) {
        while (!resume(&coroutines[i]))
            ;
    }
    printf("truth work success=3 active=5\n");
    printf("truth step success=9 active=5\n");
    printf("truth resume success=%d\n", COROUTINES + 9);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"out-of-order", out_of_order}, {"migrate", migrate}, {"migrate-from-main", migrate_from_main},
        {"suspended", suspended},       {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
