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
    cell[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] += cell[CELL_STARTED] - ended;
}

static void block_balance(const struct segment_header *segment, uint8_t *block)
{
    const struct segment_series *series = (const void *)((const uint8_t *)segment + segment->series);
    uint32_t count = __atomic_load_n(&segment->series_count, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count; i++)
        if (!series[i].has_no_duration)
            cell_balance((uint64_t *)(block + series[i].cell));
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
