#include "preload/threads/reclaim.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/threads/process_image.h"

/* Beside the image in an owner: that process balances the block. No image has such an index. */
#define RECLAIMING UINT64_C(0x80000000)

static int pid_of(uint64_t owner)
{
    return (int)(owner >> 32);
}

static bool is_there(int pid, int tid)
{
    return cpu_syscall(SYS_tgkill, pid, tid, 0, 0, 0, 0) != -ESRCH;
}

static _Atomic uint64_t *owners_of(const struct segment_header *segment)
{
    return (_Atomic uint64_t *)((uint8_t *)(uintptr_t)segment + segment->owners);
}

static uint64_t *block_of(const struct segment_header *segment, uint32_t index)
{
    return (uint64_t *)((uint8_t *)(uintptr_t)segment + segment->blocks + index * segment->block_bytes);
}

/* The kernel says that the thread which the image hangs on is gone. The process may have others, which show in its
 * blocks. Those of another PID namespace cannot be asked for. */
static bool has_threads(const struct image_blocks *blocks, uint64_t owner)
{
    for (uint32_t i = 0; i < blocks->count; i++) {
        int tid;

        if (atomic_load(&owners_of(blocks->segment)[i]) != owner)
            continue;
        tid = (int)__atomic_load_n(&block_of(blocks->segment, i)[BLOCK_THREAD], __ATOMIC_SEQ_CST);
        if (tid != image_thread(owner) && (!image_is_near(owner) || is_there(pid_of(owner), tid)))
            return true;
    }
    return false;
}

static void cell_balance(uint64_t *cell, unsigned reason_word)
{
    uint64_t ended = cell[CELL_SUCCESS] + cell[CELL_ERROR] + cell[CELL_THROTTLED] + cell[CELL_PANIC];

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        ended += cell[CELL_ABANDONED + reason];
    if (cell[CELL_STARTED] != ended)
        cell[reason_word] += cell[CELL_STARTED] - ended;
}

static uint32_t place_count(const struct segment_header *segment, uint64_t values)
{
    return values ? ((const struct segment_values *)((const uint8_t *)segment + values))->capacity + 1 : 1;
}

/* What is to be balanced: one block, by one word. */
struct balance {
    const struct segment_header *segment;
    uint8_t *block;
    unsigned reason_word;
};

/* Cells that nobody wrote lie on pages that are not there; balancing them would make them. So the ones in use are gone
 * through, and the last, of all other values. */
static void cells_balance(const struct balance *balance, const struct segment_series *series, uint64_t cell,
                          uint64_t values)
{
    uint8_t *cells = balance->block + cell;
    uint32_t count = place_count(balance->segment, values);
    uint32_t used = count - 1;

    if (values)
        used = __atomic_load_n(&((const struct segment_values *)((const uint8_t *)balance->segment + values))->count,
                               __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < used; i++)
        cell_balance((uint64_t *)(cells + i * segment_cell_bytes(series->cell_words)), balance->reason_word);
    cell_balance((uint64_t *)(cells + (count - 1) * segment_cell_bytes(series->cell_words)), balance->reason_word);
}

/* The word of what its owner said last; who was killed said nothing. */
static unsigned reason_word(const uint64_t *block)
{
    uint64_t ending = __atomic_load_n(&block[BLOCK_ENDING], __ATOMIC_ACQUIRE);

    return CELL_ABANDONED +
           (ending > 0 && ending <= SEGMENT_ABANDONED_REASONS ? (unsigned)ending - 1 : ABANDONED_PROCESS_DEATH);
}

static void block_balance(const struct segment_header *segment, uint64_t *block)
{
    const struct segment_series *series = (const void *)((const uint8_t *)segment + segment->series);
    struct balance balance = {segment, (uint8_t *)block, reason_word(block)};
    uint32_t count = __atomic_load_n(&segment->series_count, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count; i++) {
        if (series[i].has_no_duration)
            continue;
        cells_balance(&balance, &series[i], series[i].cell, series[i].values);
        if (series[i].entry_cells)
            cells_balance(&balance, &series[i], series[i].entry_cell, series[i].entry_values);
    }
}

/* Who died while it balanced a block leaves that to the next one. */
static bool is_owner_gone(uint64_t owner)
{
    return image_is_over(owner & ~RECLAIMING);
}

uint64_t reclaim_owner(void)
{
    return image_owner() | RECLAIMING;
}

uint32_t reclaim_blocks(struct segment_header *segment, uint32_t count)
{
    _Atomic uint64_t *owners = owners_of(segment);
    uint64_t alive = image_owner();
    uint64_t reclaiming = reclaim_owner();
    struct image_blocks blocks = {segment, count};
    uint32_t live = 0;

    __atomic_store_n(&segment->processes, images_look(&blocks, has_threads), __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t owner = atomic_load(&owners[i]);

        if (pid_of(owner) == 0)
            continue;
        if (owner == alive || !is_owner_gone(owner)) {
            alive = owner;
            live++;
            continue;
        }
        if (!atomic_compare_exchange_strong(&owners[i], &owner, reclaiming))
            continue;
        block_balance(segment, block_of(segment, i));
        atomic_store(&owners[i], 0);
    }
    images_forget();
    return live;
}
