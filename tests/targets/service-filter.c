/* Starts a program as systemd starts a service with SystemCallFilter=@system-service and SystemCallFilter=~@memlock: a
 * system call that is not in that set ends the process at once. Usage: service-filter PROGRAM ARGUMENT...
 *
 * The list is what systemd 252 leaves out (systemd-analyze syscall-filter), but for calls that Linux has not any more.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    LAST_KNOWN = 450, /* set_mempolicy_home_node */
    STATUS_USAGE = 64,
    STATUS_NOT_HERE = 77,
    STATUS_NOT_STARTED = 127,
};

static const unsigned short left_out[] = {
    SYS_acct,
    SYS_adjtimex,
    SYS_bpf,
    SYS_chroot,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_finit_module,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_init_module,
    SYS_ioperm,
    SYS_iopl,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_landlock_add_rule,
    SYS_mlock,
    SYS_mlock2,
    SYS_mlockall,
    SYS_munlock,
    SYS_munlockall,
    SYS_mincore,
    SYS_landlock_create_ruleset,
    SYS_modify_ldt,
    SYS_landlock_restrict_self,
    SYS_mount,
    SYS_memfd_secret,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_open_tree,
    SYS_open_by_handle_at,
    SYS_pidfd_getfd,
    SYS_perf_event_open,
    SYS_pivot_root,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    SYS_ptrace,
    SYS_process_mrelease,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_reboot,
    SYS_seccomp,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_swapoff,
    SYS_swapon,
    SYS_sysfs,
    SYS_syslog,
    SYS_umount2,
    SYS_ustat,
    SYS_vhangup,
};

static int install(void)
{
    static struct sock_filter filter[2 * COUNT(left_out) + 8];
    struct sock_fprog program = {.filter = filter};
    unsigned short used = 0;

    filter[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN, 0, 1);
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < COUNT(left_out); i++) {
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, left_out[i], 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = used;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: service-filter PROGRAM ARGUMENT...\n");
        return STATUS_USAGE;
    }
    if (install() != 0) {
        perror("service-filter");
        return STATUS_NOT_HERE;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return STATUS_NOT_STARTED;
}
