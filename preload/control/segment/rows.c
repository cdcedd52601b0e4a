#include "preload/control/segment/rows.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/x86_64/cpu.h"

enum {
    TURNS_MAX = 5000, /* a change takes some milliseconds, more for a large library in C++ */
    TURN_NS = 1000000,
};

static uint64_t own_id(void)
{
    return (uint64_t)cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) << 32 |
           (uint32_t)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static bool is_gone(uint64_t owner)
{
    return cpu_syscall(SYS_tgkill, (long)(owner >> 32), (long)(uint32_t)owner, 0, 0, 0, 0) == -ESRCH;
}

bool rows_lock(struct segment_header *segment)
{
    const struct timespec while_at_work = {.tv_nsec = TURN_NS};
    _Atomic uint64_t *word = (_Atomic uint64_t *)&segment->tables_lock;
    uint64_t self = own_id();

    for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
        uint64_t owner = 0;

        if (atomic_compare_exchange_strong(word, &owner, self))
            return true;
        if (is_gone(owner) && atomic_compare_exchange_strong(word, &owner, self))
            return true;
        cpu_syscall(SYS_nanosleep, (long)&while_at_work, 0, 0, 0, 0, 0);
    }
    return false;
}

void rows_unlock(struct segment_header *segment)
{
    atomic_store((_Atomic uint64_t *)&segment->tables_lock, 0);
}

struct segment_function *rows_at(struct segment_header *segment, uint32_t row)
{
    return (struct segment_function *)((char *)segment + segment->functions) + row;
}

const char *rows_text(const struct segment_header *segment, uint64_t offset)
{
    return (const char *)segment + offset;
}

static bool is_claimed(const struct segment_header *segment, const struct segment_function *function)
{
    return *rows_text(segment, function->module) != '\0';
}

uint32_t rows_find(struct segment_header *segment, const struct rows_key *key)
{
    for (uint32_t row = 0; row < segment->function_count; row++) {
        const struct segment_function *function = rows_at(segment, row);

        if (function->entry == key->entry && strcmp(rows_text(segment, function->module), key->module) == 0 &&
            strcmp(rows_text(segment, function->symbol), key->symbol) == 0 &&
            strcmp(rows_text(segment, function->name), key->name) == 0)
            return row;
    }
    return ROWS_NONE;
}

uint32_t rows_first(struct segment_header *segment, uint32_t entry)
{
    for (uint32_t row = 0; row < segment->function_count; row++)
        if (rows_at(segment, row)->entry == entry)
            return row;
    return ROWS_NONE;
}

uint32_t rows_unclaimed(struct segment_header *segment, uint32_t entry)
{
    uint32_t row = rows_first(segment, entry);

    return row != ROWS_NONE && !is_claimed(segment, rows_at(segment, row)) ? row : ROWS_NONE;
}

struct segment_series *rows_series(struct segment_header *segment, uint32_t row)
{
    struct segment_series *series = (struct segment_series *)((char *)segment + segment->series);

    for (uint32_t i = 0; i < segment->series_count; i++)
        if (series[i].function == row)
            return &series[i];
    return NULL;
}

bool rows_has_text(const struct segment_header *segment, uint64_t bytes)
{
    return segment->text_bytes - segment->text_used >= bytes;
}

uint64_t rows_take_cells(struct segment_header *segment, uint64_t bytes)
{
    uint64_t cells = segment->cells_used;

    if (cells > segment->block_bytes || segment->block_bytes - cells < bytes)
        return 0;
    segment->cells_used = cells + bytes;
    return cells;
}
