#include "preload/machine/code_map.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/quiet.h"
#include "preload/machine/x86_64/cpu.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3 */
#endif

/* Nobody is to exec the file, which some systems insist on (vm.memfd_noexec). Mapping it is another matter. */
static long create_file(void)
{
    static const char name[] = "callmeter";
    long file = cpu_syscall(SYS_memfd_create, (long)name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0, 0, 0, 0);

    return file == -EINVAL ? cpu_syscall(SYS_memfd_create, (long)name, MFD_CLOEXEC, 0, 0, 0, 0) : file;
}

static long write_all(long file, const char *content, size_t bytes)
{
    while (bytes > 0) {
        long written = quiet_write((int)file, content, bytes);

        if (written <= 0 && written != -EINTR)
            return written == 0 ? -ENOSPC : written;
        if (written > 0) {
            content += written;
            bytes -= (size_t)written;
        }
    }
    return 0;
}

int code_map(void *address, const void *content, size_t bytes)
{
    long file = create_file();
    long result;

    if (file < 0)
        return (int)file;
    result = write_all(file, content, bytes);
    if (result == 0)
        result =
            cpu_syscall(SYS_mmap, (long)address, (long)bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0);
    cpu_syscall(SYS_close, file, 0, 0, 0, 0, 0);
    return result == (long)address ? 0 : (int)result;
}
