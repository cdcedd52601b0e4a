#include "server/snapshot/arena.h"

#include <assert.h>

#include "server/common/pages.h"
#include "server/snapshot/snapshot.h"

void *arena_alloc(struct snapshot *snapshot, size_t bytes)
{
    struct snapshot_memory *memory = &snapshot->memories[snapshot->memory_count];

    assert(snapshot->memory_count < SNAPSHOT_MEMORIES);
    memory->pages = pages_alloc(bytes);
    memory->bytes = bytes;
    if (memory->pages)
        snapshot->memory_count++;
    return memory->pages;
}
