/* Threads that take messages of three types from one queue. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>

enum {
    TYPES = 3,
    CONSUMERS = 3,
    MESSAGES = 9000
};

struct message {
    int number;
    int type;
};

static const char *const type_names[TYPES] = {"order", "refund", "heartbeat"};
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static int queue_head;
static struct outcomes counts[TYPES];

/* 0: done, 1: to be delivered again, below 0: poison. Heartbeats never fail. */
TRACKED int process_message(const struct message *message, int type)
{
    TOUCH();
    if (type == 2)
        return 0;
    if (message->number % 10 == 3)
        return -1;
    return message->number % 4 == 1;
}

static int take(struct message *ret_message)
{
    pthread_mutex_lock(&queue_lock);
    *ret_message = (struct message){queue_head, queue_head % TYPES};
    queue_head++;
    pthread_mutex_unlock(&queue_lock);
    return ret_message->number < MESSAGES;
}

static void note(int type, int result)
{
    pthread_mutex_lock(&queue_lock);
    counts[type].error += result < 0;
    counts[type].throttled += result > 0;
    counts[type].success += result == 0;
    pthread_mutex_unlock(&queue_lock);
}

static void *consume(void *unused)
{
    struct message message;

    while (take(&message))
        note(message.type, process_message(&message, message.type));
    return unused;
}

int main(void)
{
    pthread_t threads[CONSUMERS];
    char labels[128];

    for (int i = 0; i < CONSUMERS; i++)
        pthread_create(&threads[i], NULL, consume, NULL);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TYPES; i++) {
        snprintf(labels, sizeof(labels), "function=\"process_message\",kind=\"message_processor\",type=\"%s\"",
                 type_names[i]);
        say_outcomes(labels, &counts[i]);
    }
    printf("series calls_active{function=\"process_message\"} %d\n", TYPES);
    return victim_finish();
}
