/* Changes a state file as tests need it: edit_state FILE FIELD NUMBER sets a field of the header; edit_state FILE age
 * SECONDS makes it of a run so much longer ago. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/segment/segment.h"

static int set(struct segment_header *header, const char *field, const char *value)
{
    unsigned long long number = strtoull(value, NULL, 0);

    if (strcmp(field, "version") == 0)
        header->version = (uint32_t)number;
    else if (strcmp(field, "layout") == 0)
        header->layout = number;
    else if (strcmp(field, "blocks") == 0)
        header->blocks = number;
    else if (strcmp(field, "block_count") == 0)
        header->block_count = (uint32_t)number;
    else if (strcmp(field, "seconds_per_tick") == 0)
        header->seconds_per_tick = (double)number;
    else if (strcmp(field, "age") == 0)
        for (int i = 0; i < 2; i++)
            header->moments[i].unix_ns -= (int64_t)number * 1000000000;
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct segment_header header;
    int fd = argc == 4 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        set(&header, argv[2], argv[3]) != 0 || pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header)) {
        fputs("usage: edit_state FILE FIELD NUMBER\n", stderr);
        return 1;
    }
    return close(fd);
}
