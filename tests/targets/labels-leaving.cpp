// Exceptions, jumps, and the end of a thread or a process, that leave calls which have labels of arguments and of
// results.
#include "samples.h"
#include "victim.h"

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <pthread.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 3000
};

static jmp_buf way_out;

// The number decides how it is left; the result of a call that returns is its last digit.
extern "C" TRACKED int serve(const char *name, int number)
{
    TOUCH();
    if (number % 10 == 7)
        throw std::runtime_error(name);
    if (number % 10 == 8)
        longjmp(way_out, 1);
    return number % 10;
}

extern "C" TRACKED int outer(const char *name, int number)
{
    int result = serve(name, number);

    TOUCH();
    return result;
}

static uint64_t thrown[2], jumped[2], returned[2][10];

static void serve_caught(const char *name, int which, int number)
{
    try {
        returned[which][outer(name, number)]++;
    } catch (const std::runtime_error &error) {
        CHECK(!strcmp(error.what(), name));
        thrown[which]++;
    }
}

static void say(const char *function, const char *name, int which)
{
    char labels[160];

    for (int code = 0; code < 10; code++) {
        const struct outcomes counts = {returned[which][code], 0, 0, 0};

        snprintf(labels, sizeof(labels), "function=\"%s\",name=\"%s\",result=\"%d\"", function, name, code);
        if (counts.success > 0)
            say_outcomes(labels, &counts);
    }
    snprintf(labels, sizeof(labels), "function=\"%s\",name=\"%s\",result=\"\"", function, name);
    printf("sample calls_total{%s,outcome=\"error\"} %llu\n", labels, (unsigned long long)thrown[which]);
    printf("sample calls_total{%s,outcome=\"abandoned\"} %llu\n", labels, (unsigned long long)jumped[which]);
    printf("sample calls_abandoned_total{%s,reason=\"longjmp\"} %llu\n", labels, (unsigned long long)jumped[which]);
    printf("total calls_active{function=\"%s\"} 0\n", function);
}

static volatile int number;

static const char *const names[] = {"left", "right"};

static void leave_all()
{
    while (number < ROUNDS) {
        int which = number / 10 % 2;

        if (setjmp(way_out)) {
            jumped[(number - 1) / 10 % 2]++;
            continue;
        }
        number = number + 1;
        serve_caught(names[which], which, number - 1);
    }
}

static void leave_results()
{
    leave_all();
    for (int i = 0; i < 2; i++) {
        say("serve", names[i], i);
        say("outer", names[i], i);
    }
    printf("total calls_total{function=\"serve\"} %d\n", ROUNDS);
}

// The same with a label of an argument alone.
static void leave_arguments()
{
    leave_all();
    for (int i = 0; i < 2; i++) {
        char labels[96];
        struct outcomes counts = {ROUNDS / 2 - thrown[i] - jumped[i], thrown[i], 0, jumped[i]};

        snprintf(labels, sizeof(labels), "function=\"serve\",name=\"%s\"", names[i]);
        say_outcomes(labels, &counts);
        say_sample("calls_active", labels, 0);
    }
}

extern "C" TRACKED int leave_thread(const char *name, int how)
{
    TOUCH();
    if (how == 0)
        pthread_exit(nullptr);
    return *name;
}

static void *run_thread(void *)
{
    leave_thread("gone", 0);
    return nullptr;
}

static void leave_threads()
{
    pthread_t thread;

    for (int i = 0; i < 30; i++) {
        pthread_create(&thread, nullptr, run_thread, nullptr);
        pthread_join(thread, nullptr);
        CHECK(leave_thread("here", 1) == 'h');
    }
    printf("sample calls_total{function=\"leave_thread\",name=\"gone\",outcome=\"abandoned\"} 30\n");
    printf("sample calls_total{function=\"leave_thread\",name=\"here\",outcome=\"success\"} 30\n");
    printf("sample calls_abandoned_total{function=\"leave_thread\",name=\"gone\",reason=\"thread_exit\"} 30\n");
    printf("total calls_active{function=\"leave_thread\"} 0\n");
}

enum {
    RETURN = -1,
    END_THREAD = -2,
    END_TASK = -3, // as the kernel alone sees it
    KILLS = 6,
};

// Or it says on a descriptor that it is there, and stays.
extern "C" TRACKED int stay(const char *name, int how)
{
    TOUCH();
    if (how == END_THREAD)
        pthread_exit(nullptr);
    if (how == END_TASK)
        syscall(SYS_exit, 0);
    while (how != RETURN)
        if (write(how, name, 1) < 0 || pause() < 0)
            CHECK(errno == EINTR);
    return *name;
}

static int ready[2];

static void *run_stay(void *)
{
    stay("also", ready[1]);
    return nullptr;
}

// In two threads at once, and once it returns.
static void stay_in_child()
{
    pthread_t thread;

    stay("here", RETURN);
    pthread_create(&thread, nullptr, run_stay, nullptr);
    stay("killed", ready[1]);
}

static void say_stayed(const char *name, const char *reason, int times)
{
    printf("sample calls_total{function=\"stay\",name=\"%s\",result=\"\",outcome=\"abandoned\"} %d\n", name, times);
    printf("sample calls_abandoned_total{function=\"stay\",name=\"%s\",result=\"\",reason=\"%s\"} %d\n", name, reason,
           times);
}

static void killed_within()
{
    char bytes[2];

    CHECK(pipe(ready) == 0);
    fflush(stdout);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();

        if (child == 0)
            stay_in_child();
        CHECK(read(ready[0], bytes, 1) == 1 && read(ready[0], bytes, 1) == 1);
        CHECK(kill(child, SIGKILL) == 0 && waitpid(child, nullptr, 0) == child);
        CHECK(stay("here", RETURN) == 'h');
    }
    say_stayed("killed", "process_death", KILLS);
    say_stayed("also", "process_death", KILLS);
    printf("sample calls_total{function=\"stay\",name=\"here\",result=\"104\",outcome=\"success\"} %d\n", 2 * KILLS);
    printf("total calls_total{function=\"stay\"} %d\ntotal calls_active{function=\"stay\"} 0\n", 4 * KILLS);
}

static void *end_in(void *how)
{
    stay("ended", *static_cast<const int *>(how));
    return nullptr;
}

static void ended_within()
{
    static int ways[] = {END_THREAD, END_TASK};
    pthread_t thread;

    for (int i = 0; i < KILLS; i++) {
        pthread_create(&thread, nullptr, end_in, &ways[i % 2]);
        pthread_join(thread, nullptr);
        CHECK(stay("here", RETURN) == 'h');
    }
    say_stayed("ended", "thread_exit", KILLS);
    printf("sample calls_total{function=\"stay\",name=\"here\",result=\"104\",outcome=\"success\"} %d\n", KILLS);
    printf("total calls_total{function=\"stay\"} %d\ntotal calls_active{function=\"stay\"} 0\n", 2 * KILLS);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"results", leave_results},     {"arguments", leave_arguments},
                                               {"threads", leave_threads},     {"killed-within", killed_within},
                                               {"ended-within", ended_within}, {nullptr, nullptr}};

    return victim_main(argc, argv, modes);
}
