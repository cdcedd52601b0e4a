#include "preload/control/memory/peek.h"

#include <errno.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/machine/x86_64/cpu.h"

/* Where the better way is forbidden. Between the question and the load another thread may unmap the page. */
__attribute__((no_sanitize("address"))) static bool load_words(uintptr_t address, uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!cpu_is_readable(address + i * sizeof(*words)))
            return false;
    for (size_t i = 0; i < count; i++)
        words[i] = ((const volatile uint64_t *)address)[i];
    return true;
}

/* The kernel copies, and says so if it cannot: no page can go away at the wrong moment. The thread's id, not the
 * process's, whose first thread may have left, and its memory with it. Whole aligned words, so that the kernel does not
 * copy byte by byte what is being written. */
static bool copy_words(uintptr_t address, uint64_t *words, size_t count)
{
    struct iovec here = {words, count * sizeof(*words)};
    struct iovec there = {(void *)address, here.iov_len};
    ssize_t copied = process_vm_readv(gettid(), &here, 1, &there, 1, 0);

    if (copied < 0 && errno != EFAULT)
        return load_words(address, words, count);
    return copied == (ssize_t)here.iov_len;
}

bool peek(uintptr_t address, unsigned bytes, uint64_t *ret_value)
{
    unsigned shift = address % 8 * 8;
    uint64_t words[2] = {0};
    uint64_t value;

    if (!copy_words(address & ~(uintptr_t)7, words, address % 8 + bytes > 8 ? 2 : 1))
        return false;
    value = words[0] >> shift;
    if (shift)
        value |= words[1] << (64 - shift);
    *ret_value = bytes < 8 ? value & ((UINT64_C(1) << bytes * 8) - 1) : value;
    return true;
}
