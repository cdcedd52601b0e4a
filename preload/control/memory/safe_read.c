#include "preload/control/memory/safe_read.h"

#include <string.h>

#include "preload/machine/x86_64/cpu.h"

#define PAGE ((uintptr_t)4096)

enum {
    PAGES_KEPT = 64, /* a power of two */
};

/* Pages that could be read when they were asked for, by the low bits of their numbers; 0: none. */
static uintptr_t pages[PAGES_KEPT];

void safe_read_begin(void)
{
    memset(pages, 0, sizeof(pages));
}

/* Not by process_vm_readv: a service that systemd confines to @system-service would die of it. Another thread may take
 * the page away before it is read; that is a second fault, for which panic.c has an answer. */
static bool is_page_readable(uintptr_t address)
{
    uintptr_t *kept = &pages[address / PAGE % PAGES_KEPT];
    uintptr_t page = address & ~(PAGE - 1);

    if (*kept == page && page != 0)
        return true;
    if (!cpu_is_readable(page))
        return false;
    *kept = page;
    return true;
}

/* Through volatile bytes, so that nothing is read but what was asked for. */
static void copy(uintptr_t address, uint8_t *buffer, size_t bytes)
{
    if (address % 8 == 0 && bytes == 8) {
        uint64_t word = *(const volatile uint64_t *)address;

        memcpy(buffer, &word, sizeof(word));
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        buffer[i] = ((const volatile uint8_t *)address)[i];
}

bool safe_read(uintptr_t address, void *buffer, size_t bytes)
{
    uint8_t *at = buffer;

    if (address + bytes < address)
        return false;
    while (bytes > 0) {
        size_t room = PAGE - address % PAGE;
        size_t step = bytes < room ? bytes : room;

        if (!is_page_readable(address))
            return false;
        copy(address, at, step);
        address += step;
        at += step;
        bytes -= step;
    }
    return true;
}

bool safe_read_string(uintptr_t address, char *buffer, size_t buffer_bytes)
{
    size_t length = 0;

    for (; length + 1 < buffer_bytes; length++) {
        if (!safe_read(address + length, &buffer[length], 1)) {
            buffer[0] = '\0';
            return false;
        }
        if (buffer[length] == '\0')
            return true;
    }
    buffer[length] = '\0';
    return true;
}
