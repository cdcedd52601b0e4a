#include "preload/reclaim.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "preload/x86_64/cpu.h"

#define RECLAIMING UINT64_C(1) /* no process, thread 1: taken while a block is balanced */

static bool is_process_gone(int pid)
{
    return cpu_syscall(SYS_kill, pid, 0, 0, 0, 0, 0) == -ESRCH;
}

static void cell_balance(uint64_t *cell)
{
    uint64_t ended = cell[CELL_SUCCESS] + cell[CELL_ERROR] + cell[CELL_THROTTLED] + cell[CELL_PANIC];

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        ended += cell[CELL_ABANDONED + reason];
    if (cell[CELL_STARTED] != ended)
        cell[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] += cell[CELL_STARTED] - ended;
}

static uint32_t place_count(const struct segment_header *segment, uint64_t values)
{
    return values ? ((const struct segment_values *)((const uint8_t *)segment + values))->capacity + 1 : 1;
}

/* Cells that nobody wrote lie on pages that are not there; balancing them would make them. So the ones in use are gone
 * through, and the last, of all other values. */
static void cells_balance(const struct segment_header *segment, uint8_t *block, const struct segment_series *series,
                          uint64_t cell, uint64_t values)
{
    uint32_t count = place_count(segment, values);
    uint32_t used = count - 1;

    if (values)
        used = __atomic_load_n(&((const struct segment_values *)((const uint8_t *)segment + values))->count,
                               __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < used; i++)
        cell_balance((uint64_t *)(block + cell + i * segment_cell_bytes(series->cell_words)));
    cell_balance((uint64_t *)(block + cell + (count - 1) * segment_cell_bytes(series->cell_words)));
}

static void block_balance(const struct segment_header *segment, uint8_t *block)
{
    const struct segment_series *series = (const void *)((const uint8_t *)segment + segment->series);
    uint32_t count = __atomic_load_n(&segment->series_count, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count; i++) {
        if (series[i].has_no_duration)
            continue;
        cells_balance(segment, block, &series[i], series[i].cell, series[i].values);
        if (series[i].entry_cells)
            cells_balance(segment, block, &series[i], series[i].entry_cell, series[i].entry_values);
    }
}

uint32_t reclaim_blocks(struct segment_header *segment, uint32_t count, int own)
{
    _Atomic uint64_t *owners = (_Atomic uint64_t *)((uint8_t *)segment + segment->owners);
    int known_alive = own;
    uint32_t live = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t owner = atomic_load(&owners[i]);
        int pid = (int)(owner >> 32);

        if (pid == 0)
            continue;
        if (pid == known_alive || pid == own || !is_process_gone(pid)) {
            known_alive = pid;
            live++;
            continue;
        }
        if (!atomic_compare_exchange_strong(&owners[i], &owner, RECLAIMING))
            continue;
        block_balance(segment, (uint8_t *)segment + segment->blocks + i * segment->block_bytes);
        atomic_store(&owners[i], 0);
    }
    return live;
}
