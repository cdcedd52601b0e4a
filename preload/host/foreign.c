#include "preload/host/foreign.h"

#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "preload/machine/x86_64/cpu.h"
#include "symbols/elf/foreign_text.h"

/* Each is exported by the runtime, in the program itself or in a library; the loader leaves a weak reference NULL where
 * there is none. */
#define RUNTIMES(X)                                                                                                    \
    X(__asan_init, FOREIGN_SANITIZER("AddressSanitizer"))                                                              \
    X(__hwasan_init, FOREIGN_SANITIZER("HWAddressSanitizer"))                                                          \
    X(__tsan_init, FOREIGN_SANITIZER("ThreadSanitizer"))                                                               \
    X(__msan_init, FOREIGN_SANITIZER("MemorySanitizer"))                                                               \
    X(__lsan_init, FOREIGN_SANITIZER("LeakSanitizer"))                                                                 \
    X(JLI_Launch, FOREIGN_JAVA)                                                                                        \
    X(JNI_CreateJavaVM, FOREIGN_JAVA)

#define DECLARE(name, reason) extern void name(void) __attribute__((weak));
RUNTIMES(DECLARE)

bool foreign_libc(void)
{
    return !gnu_get_libc_version || !dladdr || !dladdr1 || !dlclose || !dlerror || !dlinfo || !dlvsym;
}

const char *foreign_reason(void)
{
    if (foreign_libc())
        return "it runs with a C library that is not glibc, or too old a one";
#define ASK(name, reason)                                                                                              \
    if (name)                                                                                                          \
        return reason;
    RUNTIMES(ASK)
    return NULL;
}

/* The path of a link, at most `bytes` with its NUL; 0: it cannot be read. */
static size_t read_link(const char *link, char *text, size_t bytes)
{
    long length = cpu_syscall(SYS_readlink, (long)link, (long)text, (long)bytes - 1, 0, 0, 0);

    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

const char *foreign_emulator(void)
{
    char told[PATH_MAX];
    char real[PATH_MAX];
    const char *slash;

    /* The same by any kernel. An emulator answers for the name that programs ask by, and leaves the other one alone. */
    if (read_link("/proc/self/exe", told, sizeof(told)) == 0 ||
        read_link("/proc/thread-self/exe", real, sizeof(real)) == 0 || strcmp(told, real) == 0)
        return NULL;
    slash = strrchr(real, '/');
    if (cpu_is_translated() || strncmp(slash ? slash + 1 : real, "qemu-", 5) == 0)
        return "it is run by an emulator, qemu-user";
    return NULL;
}

/* The last part of the path that an address lies in. */
static const char *provider_of(const void *address)
{
    const Elf64_Sym *symbol = NULL;
    const char *slash;
    Dl_info info;

    if (!dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) || !info.dli_fname)
        return NULL;
    if (symbol && symbol->st_shndx == SHN_UNDEF) /* an entry of the program's PLT, which stands for the function */
        return NULL;
    slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

static bool is_without_descriptors(const char *provider)
{
    static const char *const names[] = {
        "libc.so",     "ld-linux",     "libpthread.so", "libcallmeter",     "libjemalloc",  "libtcmalloc_minimal",
        "libmimalloc", "libtbbmalloc", "libfaketime",   "libfakeroot-sysv", "libeatmydata", "libprofiler",
        "libgc.so"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(provider, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The program itself may bring an allocator; more of libc's it must not (self.h). */
static bool is_harmless(const void *address)
{
    const char *provider = address ? provider_of(address) : NULL;
    Dl_info program;
    Dl_info own;

    if (!provider || is_without_descriptors(provider))
        return true;
    return dladdr((const void *)getauxval(AT_ENTRY), &program) && dladdr(address, &own) &&
           program.dli_fbase == own.dli_fbase;
}

/* An allocator that unwinds stacks does so by libunwind, which keeps a pipe to try addresses with; where its ends are
 * not what they were, it closes these numbers. */
static bool is_allocator_traced(void *libc)
{
    void *unwinder = dlopen("libunwind.so.8", RTLD_LAZY | RTLD_NOLOAD);

    if (!unwinder)
        return false;
    dlclose(unwinder);
    return dlsym(libc, "malloc") != dlsym(RTLD_NEXT, "malloc") ||
           dlsym(libc, "malloc") != dlsym(RTLD_DEFAULT, "malloc");
}

bool foreign_has_descriptors(void)
{
    static const char *const names[] = {"malloc", "free",    "open",       "openat",  "close",  "read",
                                        "write",  "writev",  "fcntl",      "fstat",   "socket", "bind",
                                        "poll",   "accept4", "epoll_wait", "rename",  "unlink", "stat",
                                        "send",   "sendto",  "recv",       "sendmsg", "mmap",   "munmap"};

    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

    if (libc && is_allocator_traced(libc))
        return true;
    for (size_t i = 0; libc && i < sizeof(names) / sizeof(names[0]); i++) {
        const void *own = dlsym(libc, names[i]);
        const void *first = dlsym(RTLD_DEFAULT, names[i]);
        const void *next = dlsym(RTLD_NEXT, names[i]);

        if ((first != own && !is_harmless(first)) || (next != own && !is_harmless(next)))
            return true;
    }
    return false;
}
