/* Starts a program that may not make memory executable which was written, as service managers, sandboxes and kernels
 * forbid it. Usage: without-exec WAY PROGRAM ARGUMENT...
 *
 *   mprotect  a seccomp filter: no mprotect that asks for PROT_EXEC (systemd's MemoryDenyWriteExecute)
 *   mdwe      PR_SET_MDWE of Linux 6.3; status 77 where the kernel has none
 *   mappings  as mprotect, and executable mappings for nobody but ld.so
 *
 * Compiled with FROM_CONSTRUCTOR, a library that forbids all of them as soon as it is loaded. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    SET_MDWE = 65,
    MDWE_REFUSE_EXEC_GAIN = 1,
    STATUS_USAGE = 64,
    STATUS_NOT_HERE = 77,
    STATUS_NOT_STARTED = 127,
};

/* The low half of a system call's argument. */
#define LOAD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP_IF(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, n, 0)
#define ALLOW             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
/* Skips one statement unless a bit is set. */
#define IF_BIT(bit) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, 0, 1)

static int install(struct sock_filter *filter, size_t count)
{
    struct sock_fprog program = {(unsigned short)count, filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

static int deny_mprotect(void)
{
    struct sock_filter filter[] = {
        LOAD(nr),
        JUMP_IF(SYS_mprotect, 2),
        JUMP_IF(SYS_pkey_mprotect, 1),
        ALLOW,
        LOAD(args[2]),
        IF_BIT(PROT_EXEC),
        DENY,
        ALLOW,
    };

    return install(filter, COUNT(filter));
}

#ifdef FROM_CONSTRUCTOR

__attribute__((constructor)) static void deny_all(void)
{
    struct sock_filter filter[] = {
        LOAD(nr), JUMP_IF(SYS_mmap, 1), ALLOW, LOAD(args[2]), IF_BIT(PROT_EXEC), DENY, ALLOW,
    };

    if (deny_mprotect() || install(filter, COUNT(filter)))
        perror("without-exec");
}

#else

/* ld.so marks its mappings with MAP_DENYWRITE, which nobody else uses. */
static int deny_mappings(void)
{
    struct sock_filter filter[] = {
        LOAD(nr),
        JUMP_IF(SYS_mmap, 1),
        ALLOW,
        LOAD(args[3]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_DENYWRITE, 3, 0),
        LOAD(args[2]),
        IF_BIT(PROT_EXEC),
        DENY,
        ALLOW,
    };

    return deny_mprotect() || install(filter, COUNT(filter));
}

static int confine(const char *way)
{
    if (strcmp(way, "mprotect") == 0)
        return deny_mprotect() ? STATUS_NOT_STARTED : 0;
    if (strcmp(way, "mappings") == 0)
        return deny_mappings() ? STATUS_NOT_STARTED : 0;
    if (strcmp(way, "mdwe") == 0)
        return prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0 ? STATUS_NOT_HERE : 0;
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    int status = argc < 3 ? STATUS_USAGE : confine(argv[1]);

    if (status == STATUS_USAGE)
        fprintf(stderr, "usage: %s mprotect|mdwe|mappings PROGRAM ARGUMENT...\n", argv[0]);
    if (status != 0)
        return status;
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return STATUS_NOT_STARTED;
}

#endif
