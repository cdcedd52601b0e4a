#include "preload/control/objects/as_loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 4096 /* headers, and most often the build id; on the page that the object begins with */
};

/* The beginning of the object in memory. */
struct head {
    uintptr_t load_bias;
    const uint8_t *bytes; /* NULL: not known */
};

static int find_head(struct dl_phdr_info *info, size_t size, void *context)
{
    struct head *head = context;

    (void)size;
    if (info->dlpi_addr != head->load_bias)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && segment->p_offset == 0 && segment->p_flags & PF_R &&
            segment->p_filesz >= sizeof(Elf64_Ehdr))
            head->bytes = (const uint8_t *)(info->dlpi_addr + segment->p_vaddr);
    }
    return 1;
}

static size_t read_head(const char *path, uint8_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t count = -1;

    if (fd >= 0) {
        do
            count = pread(fd, bytes, HEAD_BYTES, 0);
        while (count < 0 && errno == EINTR);
        close(fd);
    }
    return count > 0 ? (size_t)count : 0;
}

static bool is_alike(const uint8_t *file, size_t bytes, const uint8_t *memory)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)memory;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(const void *)(memory + header->e_phoff);
    size_t segments_end = header->e_phoff + header->e_phnum * sizeof(*segments);

    if (bytes < sizeof(*header) || memcmp(file, memory, sizeof(*header)) != 0)
        return false;
    if (segments_end > bytes || header->e_phentsize != sizeof(*segments))
        return true;
    if (memcmp(file + header->e_phoff, segments, segments_end - header->e_phoff) != 0)
        return false;
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_NOTE && segments[i].p_offset <= bytes &&
            segments[i].p_filesz <= bytes - segments[i].p_offset &&
            memcmp(file + segments[i].p_offset, memory + segments[i].p_offset, segments[i].p_filesz) != 0)
            return false;
    return true;
}

bool as_loaded_is(const char *path, uintptr_t load_bias)
{
    struct head head = {.load_bias = load_bias};
    uint8_t file[HEAD_BYTES];
    size_t bytes;

    dl_iterate_phdr(find_head, &head);
    bytes = head.bytes ? read_head(path, file) : 0;
    return bytes == 0 || is_alike(file, bytes, head.bytes);
}
