/* Ways in which programs give up rights that they do not need any more, or leave a part of the system. Afterwards every
 * thread of the process is to have what the program's own has. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CALL(number, ...) CHECK(syscall(number, ##__VA_ARGS__) == 0)
#define LENGTH(code)      ((unsigned short)(sizeof(code) / sizeof(*(code))))
#define NUMBER            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IF(value, no)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, no)
#define ARGUMENT(index)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[index]))
#define ANSWER(answer)    BPF_STMT(BPF_RET | BPF_K, answer)

enum {
    NOBODY = 65534,
    LAST_BOUND = 40, /* capabilities, more or less */
};

int capset(cap_user_header_t header, const cap_user_data_t data);
int capget(cap_user_header_t header, cap_user_data_t data);

static struct sock_filter no_exec[] = {NUMBER, IF(SYS_execve, 1), ANSWER(SECCOMP_RET_ERRNO | EPERM),
                                       ANSWER(SECCOMP_RET_ALLOW)};
static struct sock_filter no_accept[] = {NUMBER, IF(SYS_accept4, 1), ANSWER(SECCOMP_RET_KILL_PROCESS),
                                         ANSWER(SECCOMP_RET_ALLOW)};
static struct sock_filter no_socket[] = {NUMBER, IF(SYS_socket, 1), ANSWER(SECCOMP_RET_ERRNO | EPERM),
                                         ANSWER(SECCOMP_RET_ALLOW)};
static struct sock_filter no_threads[] = {NUMBER, IF(SYS_clone3, 1), ANSWER(SECCOMP_RET_ERRNO | EPERM),
                                          ANSWER(SECCOMP_RET_ALLOW)};
static struct sock_filter no_waiting[] = {NUMBER, IF(SYS_ppoll, 1), ANSWER(SECCOMP_RET_ERRNO | EPERM),
                                          ANSWER(SECCOMP_RET_ALLOW)};
/* It kills for a number by an argument that nobody can know of beforehand. */
static struct sock_filter no_internet[] = {
    NUMBER, IF(SYS_socket, 3), ARGUMENT(0), IF(2, 1), ANSWER(SECCOMP_RET_KILL_PROCESS), ANSWER(SECCOMP_RET_ALLOW)};

TRACKED int work(int value)
{
    TOUCH();
    return value * 9 + 1;
}

/* Filters --------------------------------------------------------------------------------------------------------- */

static void filter_by_prctl(struct sock_filter *code, unsigned short length)
{
    const struct sock_fprog program = {length, code};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void filter_by_call(struct sock_filter *code, unsigned short length, unsigned flags)
{
    const struct sock_fprog program = {length, code};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void seccomp_prctl(void)
{
    filter_by_prctl(no_exec, LENGTH(no_exec));
}

static void seccomp_call(void)
{
    filter_by_call(no_exec, LENGTH(no_exec), 0);
}

static void seccomp_twice(void)
{
    seccomp_call();
    seccomp_prctl();
}

static void seccomp_tsync(void)
{
    filter_by_call(no_exec, LENGTH(no_exec), SECCOMP_FILTER_FLAG_TSYNC);
}

static void *wait_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void seccomp_tsync_threads(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
    seccomp_tsync();
}

static void seccomp_refused(void)
{
    const struct sock_fprog program = {0, no_exec};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1 && errno == EINVAL);
}

static void seccomp_kills(void)
{
    filter_by_call(no_accept, LENGTH(no_accept), 0);
}

static void seccomp_kills_by_argument(void)
{
    filter_by_call(no_internet, LENGTH(no_internet), 0);
}

static void seccomp_no_waiting(void)
{
    filter_by_call(no_waiting, LENGTH(no_waiting), 0);
}

static void seccomp_no_socket(void)
{
    filter_by_call(no_socket, LENGTH(no_socket), 0);
}

static void seccomp_no_threads(void)
{
    filter_by_call(no_threads, LENGTH(no_threads), 0);
}

static void strict_prctl(void)
{
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
}

static void strict_call(void)
{
    CALL(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
}

static void landlock(void)
{
    const struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (fd >= 0)
        CALL(SYS_landlock_restrict_self, fd, 0);
}

/* Privileges ------------------------------------------------------------------------------------------------------ */

static void no_new_privileges(void)
{
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static void no_new_privileges_call(void)
{
    CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void change_capabilities(uint32_t kept, uint32_t inherited, int process)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = process};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{kept, kept, inherited}};

    CHECK(capset(&header, data) == 0);
}

static void capabilities(void)
{
    change_capabilities(1u << CAP_SETUID | 1u << CAP_SETGID, 0, 0);
}

static void capabilities_by_number(void)
{
    change_capabilities(1u << CAP_SETUID, 0, gettid());
}

static void capabilities_ambient(void)
{
    change_capabilities(1u << CAP_CHOWN, 1u << CAP_CHOWN, 0);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
}

static void bounds(void)
{
    for (int i = 0; i <= LAST_BOUND; i++)
        CHECK(prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0);
}

static void secure_bits(void)
{
    CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0);
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void kept_capabilities(void)
{
    CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void ids(void)
{
    CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

static void ids_of_thread(void)
{
    const gid_t groups[] = {3, 4, 5};

    CALL(SYS_setgroups, 3, groups);
    CALL(SYS_setresgid, NOBODY, NOBODY, NOBODY);
    CALL(SYS_setresuid, NOBODY, NOBODY, NOBODY);
}

static void ids_of_thread_one_by_one(void)
{
    CALL(SYS_setgid, 7);
    CALL(SYS_setregid, 8, 9);
    CALL(SYS_setreuid, -1, 10);
    CALL(SYS_setreuid, -1, 0);
    CALL(SYS_setuid, 11);
}

static void ids_for_files(void)
{
    for (int i = 0; i < 50; i++) {
        CHECK(setfsuid(1000) == 0);
        CHECK(setfsuid(0) == 1000);
    }
    setfsgid(NOBODY);
    setfsuid(NOBODY);
}

static void ids_for_files_call(void)
{
    syscall(SYS_setfsgid, NOBODY);
    syscall(SYS_setfsuid, NOBODY);
}

static void handle(int signal)
{
    (void)signal;
    ids_of_thread();
}

static void ids_in_handler(void)
{
    signal(SIGUSR1, handle);
    raise(SIGUSR1);
}

/* Of a process whose thread waits for its turn to serve. */
static void ids_in_child(void)
{
    pid_t child;
    int status;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        ids_of_thread();
        _exit(system("cat /proc/$PPID/task/*/status | grep '^Uid' | sort -u | wc -l | grep -qx 1") != 0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Namespaces ------------------------------------------------------------------------------------------------------ */

static void root_of_thread(void)
{
    CHECK(unshare(CLONE_FS) == 0);
    CHECK(chroot("/usr") == 0 && chdir("/") == 0);
}

static void root_and_mounts(void)
{
    CHECK(unshare(CLONE_FS | CLONE_NEWNS) == 0);
    CHECK(chroot("/usr") == 0 && chdir("/") == 0);
}

static void mounts_call(void)
{
    CALL(SYS_unshare, CLONE_NEWNS);
}

static void user_namespace(void)
{
    CHECK(unshare(CLONE_NEWUSER) == 0);
}

static void namespaces(void)
{
    CHECK(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP) == 0);
}

static void namespaces_of_children(void)
{
    CHECK(unshare(CLONE_NEWPID) == 0);
}

static void enter_namespace(void)
{
    int ends[2];
    char path[64];
    char byte = 0;
    pid_t child;
    int fd;

    CHECK(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || write(ends[1], &byte, 1) != 1)
            _exit(1);
        wait_for_ever(NULL);
    }
    CHECK(read(ends[0], &byte, 1) == 1);
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)child);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(setns(fd, 0) == 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* By instructions of its own -------------------------------------------------------------------------------------- */

static long call(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static void unseen_ids(void)
{
    CHECK(call(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
}

static void unseen_root(void)
{
    CHECK(call(SYS_unshare, CLONE_FS, 0, 0) == 0 && call(SYS_chroot, (long)"/usr", 0, 0) == 0);
}

static void unseen_filter(void)
{
    const struct sock_fprog program = {LENGTH(no_exec), no_exec};

    CHECK(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) == 0);
    CHECK(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program) == 0);
}

static int count_threads(void)
{
    struct stat status;

    return stat("/proc/self/task", &status) == 0 ? (int)status.st_nlink - 2 : 1;
}

/* Who had not followed has left, and follows. */
static void unseen_then_seen(void)
{
    unseen_ids();
    while (count_threads() > 1)
        sched_yield();
    signal(SIGUSR1, SIG_IGN);
}

/* As servers do --------------------------------------------------------------------------------------------------- */

static void all(void)
{
    root_and_mounts();
    bounds();
    ids();
    seccomp_call();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"seccomp-prctl", seccomp_prctl},
        {"seccomp-call", seccomp_call},
        {"seccomp-twice", seccomp_twice},
        {"seccomp-tsync", seccomp_tsync},
        {"seccomp-tsync-threads", seccomp_tsync_threads},
        {"seccomp-refused", seccomp_refused},
        {"seccomp-kills", seccomp_kills},
        {"seccomp-kills-by-argument", seccomp_kills_by_argument},
        {"seccomp-no-waiting", seccomp_no_waiting},
        {"seccomp-no-socket", seccomp_no_socket},
        {"seccomp-no-threads", seccomp_no_threads},
        {"strict-prctl", strict_prctl},
        {"strict-call", strict_call},
        {"landlock", landlock},
        {"no-new-privileges", no_new_privileges},
        {"no-new-privileges-call", no_new_privileges_call},
        {"capabilities", capabilities},
        {"capabilities-by-number", capabilities_by_number},
        {"capabilities-ambient", capabilities_ambient},
        {"bounds", bounds},
        {"secure-bits", secure_bits},
        {"kept-capabilities", kept_capabilities},
        {"ids", ids},
        {"ids-of-thread", ids_of_thread},
        {"ids-of-thread-one-by-one", ids_of_thread_one_by_one},
        {"ids-for-files", ids_for_files},
        {"ids-for-files-call", ids_for_files_call},
        {"ids-in-handler", ids_in_handler},
        {"ids-in-child", ids_in_child},
        {"root-of-thread", root_of_thread},
        {"root-and-mounts", root_and_mounts},
        {"mounts-call", mounts_call},
        {"user-namespace", user_namespace},
        {"namespaces", namespaces},
        {"namespaces-of-children", namespaces_of_children},
        {"enter-namespace", enter_namespace},
        {"unseen-ids", unseen_ids},
        {"unseen-root", unseen_root},
        {"unseen-filter", unseen_filter},
        {"unseen-then-seen", unseen_then_seen},
        {"all", all},
        {NULL, NULL},
    };

    work(1);
    printf("truth work success=1\n");
    fflush(stdout);
    return victim_main(argc, argv, modes);
}
