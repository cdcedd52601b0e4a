/* A server of root's that gives up all but one capability, and changes its user with that one, as proftpd does. What a
 * thread may is its own: libc ends a process whose threads differ in whether setresuid succeeds. */
#include "victim.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    USER = 65534,
};

int capset(cap_user_header_t header, const cap_user_data_t data);

TRACKED int work(int value)
{
    TOUCH();
    return value * 7 + 1;
}

static void keep(uint32_t effective, uint32_t permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = effective, .permitted = permitted}};

    CHECK(capset(&header, data) == 0);
}

static void change_user(uid_t user)
{
    int result = setresuid((uid_t)-1, user, (uid_t)-1);

    printf("user %d: %s\n", (int)user, result == 0 ? "done" : strerrorname_np(errno));
}

int main(void)
{
    uint32_t one = 1u << CAP_SETUID;

    CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
    CHECK(setresuid(USER, USER, USER) == 0);
    change_user(0);
    keep(one, one);
    change_user(0);
    change_user(USER);
    keep(0, 0);
    change_user(0);
    for (int i = 0; i < 10; i++)
        CHECK(work(i) == i * 7 + 1);
    puts("truth work success=10");
    return victim_finish();
}
