#include "preload/control/state/old_file.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/control/state/sparse_reader.h"
#include "symbols/common/diag.h"

enum {
    PAGE = 4096,
};

#define TICK_SHORTEST 1e-12
#define TICK_LONGEST  1e-3

static int refuse(struct old_file *file, enum segment_state_error error, const char *why)
{
    file->error = error;
    diag_set(file->diag, "%s", why);
    return -EINVAL;
}

int old_file_damaged(struct old_file *file, const char *why)
{
    return refuse(file, STATE_ERROR_DAMAGED, why);
}

int old_file_no_memory(struct old_file *file)
{
    file->error = STATE_ERROR_IO;
    diag_set(file->diag, "no memory to read it");
    return -ENOMEM;
}

int old_file_judge(struct old_file *file, int result)
{
    if (result == 0)
        return 0;
    if (result == -EINVAL)
        return old_file_damaged(file, "it ends too early");
    file->error = STATE_ERROR_IO;
    diag_set(file->diag, "it cannot be read: %s", strerror(-result));
    return result;
}

int old_file_read(struct old_file *file, void *buffer, uint64_t bytes, uint64_t offset)
{
    return old_file_judge(file, sparse_reader_copy(file->fd, buffer, bytes, offset));
}

static bool is_tick(double seconds)
{
    return isfinite(seconds) && seconds >= TICK_SHORTEST && seconds <= TICK_LONGEST;
}

static bool do_blocks_lie_inside(const struct old_file *file, uint64_t file_bytes)
{
    const struct segment_header *old = &file->header;
    const struct segment_header *fresh = file->fresh;

    return old->blocks % PAGE == 0 && old->blocks >= fresh->text + fresh->text_used && old->blocks <= file_bytes &&
           old->block_count > 0 && old->block_count <= (file_bytes - old->blocks) / fresh->block_bytes;
}

static int check_header(struct old_file *file, uint64_t file_bytes)
{
    const struct segment_header *old = &file->header;

    if (old->magic != SEGMENT_MAGIC)
        return old_file_damaged(file, "no state of callmeter");
    if (old->version != SEGMENT_VERSION || old->header_bytes != sizeof(*old))
        return refuse(file, STATE_ERROR_VERSION, "of another version of callmeter");
    if (old->layout == 0)
        return old_file_damaged(file, "it was never complete");
    if (old->layout != file->fresh->layout)
        return refuse(file, STATE_ERROR_MANIFEST, "of another manifest, or of other versions of what it tracks");
    if (old->block_bytes != file->fresh->block_bytes || !is_tick(old->seconds_per_tick) || old->moment > 1 ||
        old->signal_count > SEGMENT_SIGNALS_MAX || !do_blocks_lie_inside(file, file_bytes))
        return old_file_damaged(file, "its header contradicts itself, or the file ends too early");
    return 0;
}

int old_file_init(struct old_file *file, const struct segment_header *fresh, int fd, struct diag *diag)
{
    struct stat status;
    int result;

    *file = (struct old_file){.fresh = fresh, .fd = fd, .diag = diag};
    if (fstat(fd, &status) != 0 || status.st_size < (off_t)sizeof(file->header))
        return old_file_damaged(file, "it is too short");
    result = old_file_read(file, &file->header, sizeof(file->header), 0);
    return result == 0 ? check_header(file, (uint64_t)status.st_size) : result;
}
