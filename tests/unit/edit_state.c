/* Changes a state file as tests need it:
 *
 *   edit_state FILE FIELD NUMBER   sets a field of the header
 *   edit_state FILE age SECONDS    makes it of a run so much longer ago
 *   edit_state FILE past NAME      makes one number the first that is not allowed */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/segment/segment.h"

struct file {
    int fd;
    struct segment_header header;
    struct segment_values values; /* of the first series that has labels */
    uint64_t values_at;
    uint64_t cell; /* of the first series, in the first block */
};

static bool read_at(const struct file *file, void *to, size_t bytes, uint64_t offset)
{
    return pread(file->fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool write_at(const struct file *file, const void *from, size_t bytes, uint64_t offset)
{
    return pwrite(file->fd, from, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool write_header(const struct file *file)
{
    return write_at(file, &file->header, sizeof(file->header), 0);
}

static bool write_values(const struct file *file)
{
    return write_at(file, &file->values, sizeof(file->values), file->values_at);
}

/* A field of the header ------------------------------------------------------------------------------------------- */

static bool set(struct file *file, const char *field, const char *value)
{
    struct segment_header *header = &file->header;
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
        return false;
    return write_header(file);
}

/* One past -------------------------------------------------------------------------------------------------------- */

static bool find_tables(struct file *file)
{
    for (uint32_t i = 0; i < file->header.series_count; i++) {
        struct segment_series series;

        if (!read_at(file, &series, sizeof(series), file->header.series + i * sizeof(series)))
            return false;
        if (i == 0)
            file->cell = file->header.blocks + series.cell;
        if (series.values && !file->values_at)
            file->values_at = series.values;
    }
    return file->values_at && read_at(file, &file->values, sizeof(file->values), file->values_at);
}

static bool pass_magic(struct file *file)
{
    file->header.magic++;
    return write_header(file);
}

static bool pass_version(struct file *file)
{
    file->header.version++;
    return write_header(file);
}

static bool pass_header_bytes(struct file *file)
{
    file->header.header_bytes += 8;
    return write_header(file);
}

static bool pass_layout(struct file *file)
{
    file->header.layout++;
    return write_header(file);
}

static bool pass_block_bytes(struct file *file)
{
    file->header.block_bytes += 4096;
    return write_header(file);
}

static bool pass_moment(struct file *file)
{
    file->header.moment = 2;
    return write_header(file);
}

static bool pass_signal_count(struct file *file)
{
    file->header.signal_count = SEGMENT_SIGNALS_MAX + 1;
    return write_header(file);
}

static bool pass_block_count(struct file *file)
{
    struct stat status;

    if (fstat(file->fd, &status) != 0)
        return false;
    file->header.block_count =
        (uint32_t)(((uint64_t)status.st_size - file->header.blocks) / file->header.block_bytes) + 1;
    return write_header(file);
}

static bool pass_count(struct file *file)
{
    const uint64_t length = 0; /* the key that is too many looks like one */

    file->values.count = file->values.capacity + 1;
    return write_values(file) && write_at(file, &length, sizeof(length),
                                          file->values.keys + (uint64_t)file->values.capacity * file->values.key_bytes);
}

static bool pass_capacity(struct file *file)
{
    file->values.capacity++;
    return write_values(file);
}

static bool pass_key_bytes(struct file *file)
{
    file->values.key_bytes += 8;
    return write_values(file);
}

static bool pass_string(struct file *file)
{
    const uint64_t length = SEGMENT_STRING_BYTES + 1;

    file->values.count = 1;
    return write_values(file) && write_at(file, &length, sizeof(length), file->values.keys);
}

static bool pass_successes(struct file *file)
{
    const uint64_t count = UINT64_C(1) << 60;

    return write_at(file, &count, sizeof(count), file->cell + CELL_SUCCESS * 8);
}

static const struct {
    const char *name;
    bool (*pass)(struct file *file);
} limits[] = {
    {"magic", pass_magic},
    {"version", pass_version},
    {"header_bytes", pass_header_bytes},
    {"layout", pass_layout},
    {"block_bytes", pass_block_bytes},
    {"block_count", pass_block_count},
    {"moment", pass_moment},
    {"signal_count", pass_signal_count},
    {"values_count", pass_count},
    {"values_capacity", pass_capacity},
    {"key_bytes", pass_key_bytes},
    {"string", pass_string},
    {"successes", pass_successes},
};

static bool pass(struct file *file, const char *name)
{
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        if (strcmp(limits[i].name, name) == 0)
            return find_tables(file) && limits[i].pass(file);
    return false;
}

int main(int argc, char **argv)
{
    struct file file = {.fd = argc == 4 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1};

    if (file.fd < 0 || !read_at(&file, &file.header, sizeof(file.header), 0) ||
        !(strcmp(argv[2], "past") == 0 ? pass(&file, argv[3]) : set(&file, argv[2], argv[3]))) {
        fputs("usage: edit_state FILE FIELD NUMBER, or FILE past NAME\n", stderr);
        return 1;
    }
    return close(file.fd);
}
