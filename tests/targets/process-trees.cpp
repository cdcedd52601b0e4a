/* Trees of processes: each way to make a child, from within nested tracked calls, with each way for the child to leave
 * them. Beside the truth it prints `reason FUNCTION REASON N` for the calls that are abandoned. */
#include "victim.h"

#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *mode_end; /* how the child leaves */
static pid_t (*make)();
static jmp_buf top;

/* Ways to make a child ----------------------------------------------------------------------------------------------
 */

static pid_t by_fork()
{
    return fork();
}

static pid_t by_quiet_fork()
{
    return _Fork();
}

static pid_t by_system_call()
{
    return (pid_t)syscall(SYS_fork);
}

static pid_t by_clone()
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
}

static pid_t by_clone3()
{
    struct clone_args arguments = {};

    arguments.exit_signal = SIGCHLD;
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* Ways to leave -----------------------------------------------------------------------------------------------------
 */

extern "C" {
TRACKED int work(int value);
TRACKED int outer(int value);
TRACKED int middle(int value);
TRACKED int inner(int value);
}

int work(int value)
{
    TOUCH();
    return value + 1;
}

static void leave_by(const char *end)
{
    char name[] = "true";
    char *arguments[] = {name, nullptr};

    if (!strcmp(end, "exit-now"))
        _exit(0);
    if (!strcmp(end, "exit"))
        exit(0);
    if (!strcmp(end, "quick-exit"))
        quick_exit(0);
    if (!strcmp(end, "exit-group"))
        syscall(SYS_exit_group, 0);
    if (!strcmp(end, "exec-failed-kill"))
        execv("/nowhere/true", arguments);
    if (strstr(end, "kill"))
        kill(getpid(), SIGKILL);
    if (!strcmp(end, "exec")) {
        execv("/nowhere/true", arguments);
        execv("/bin/true", arguments);
    }
    if (!strcmp(end, "exec-system-call"))
        syscall(SYS_execve, "/bin/true", arguments, environ);
    if (!strcmp(end, "exec-failed"))
        execv("/nowhere/true", arguments);
    if (!strcmp(end, "longjmp"))
        longjmp(top, 1);
    if (!strcmp(end, "throw"))
        throw 1;
}

static pid_t child;

int inner(int value)
{
    child = make();
    if (child == 0) {
        work(value);
        leave_by(mode_end);
    }
    TOUCH();
    return value;
}

int middle(int value)
{
    int result = inner(value) + 1;

    TOUCH();
    return result;
}

int outer(int value)
{
    int result = middle(value) + 1;

    TOUCH();
    return result;
}

/* The modes ---------------------------------------------------------------------------------------------------------
 */

enum {
    CHILDREN = 20
};

static void run_child()
{
    if (setjmp(top) == 0) {
        try {
            CHECK(outer(1) == 3);
        } catch (int) {
        }
    }
    if (child == 0) {
        work(0);
        _exit(victim_failures);
    }
}

static void wait_for_child()
{
    int status = 0;

    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    if (strstr(mode_end, "kill"))
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tell(int works, const char *outcome, const char *reason)
{
    const char *names[] = {"outer", "middle", "inner"};

    printf("truth work success=%d\n", works * CHILDREN);
    for (const char *name : names) {
        if (outcome)
            printf("truth %s success=%d %s=%d\n", name, CHILDREN, outcome, CHILDREN);
        else
            printf("truth %s success=%d\n", name, 2 * CHILDREN);
        if (reason)
            printf("reason %s %s %d\n", name, reason, CHILDREN);
    }
}

/* What becomes of the three calls in the child. */
struct way_to_leave {
    const char *name;
    int works; /* calls of work by each child */
    const char *outcome;
    const char *reason;
};

static const struct way_to_leave ways_to_leave[] = {
    {"return", 2, nullptr, nullptr},
    {"exec-failed", 2, nullptr, nullptr},
    {"longjmp", 2, "abandoned", "longjmp"},
    {"throw", 2, "error", nullptr},
    {"exit-now", 1, "abandoned", "process_exit"},
    {"exit", 1, "abandoned", "process_exit"},
    {"quick-exit", 1, "abandoned", "process_exit"},
    {"exit-group", 1, "abandoned", "process_death"},
    {"kill", 1, "abandoned", "process_death"},
    {"exec-failed-kill", 1, "abandoned", "process_death"},
    {"exec", 1, "abandoned", "exec"},
    {"exec-system-call", 1, "abandoned", "process_death"},
};

struct way_to_make {
    const char *name;
    pid_t (*make)();
};

static const struct way_to_make ways_to_make[] = {
    {"fork", by_fork},   {"quiet-fork", by_quiet_fork}, {"system-call", by_system_call},
    {"clone", by_clone}, {"clone3", by_clone3},
};

/* process-trees WAY-TO-MAKE WAY-TO-LEAVE */
int main(int argc, char **argv)
{
    for (const struct way_to_make &way : ways_to_make)
        if (argc > 2 && !strcmp(way.name, argv[1]))
            make = way.make;
    for (const struct way_to_leave &way : ways_to_leave) {
        if (!make || strcmp(way.name, argv[2]))
            continue;
        mode_end = way.name;
        setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
        for (int i = 0; i < CHILDREN; i++) {
            run_child();
            wait_for_child();
        }
        tell(way.works, way.outcome, way.reason);
        return victim_finish();
    }
    fputs("usage: process-trees WAY-TO-MAKE WAY-TO-LEAVE\n", stderr);
    return 64;
}
