#include "preload/callmeter/loaded.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/shim.h"
#include "symbols/diag.h"

struct listing {
    struct loaded *loaded;
    const struct shim *shim;
    size_t seen;
    int result;
};

static void listing_open(struct listing *listing, const char *path, uint64_t load_bias, bool is_executable)
{
    struct loaded *loaded = listing->loaded;
    struct object **objects = realloc(loaded->objects, (loaded->count + 1) * sizeof(*objects));
    struct diag diag = {0};

    if (!objects) {
        listing->result = -ENOMEM;
        return;
    }
    loaded->objects = objects;
    if (object_open(path, load_bias, is_executable, &objects[loaded->count], &diag) == 0)
        loaded->count++;
    else
        listing->shim->log(LOG_LEVEL_WARN, "%s is left out: %s", path, diag.text);
}

static bool is_same_file(const char *path, const char *other)
{
    struct stat a, b;

    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* By the name that it was started by, if that is its file: people know `redis-server`, not what it is a link to. */
static void listing_open_executable(struct listing *listing, uint64_t load_bias)
{
    static const char self[] = "/proc/self/exe";
    const char *started_by = (const char *)getauxval(AT_EXECFN);
    char target[PATH_MAX];
    ssize_t length = readlink(self, target, sizeof(target) - 1);
    const char *path = self;

    target[length > 0 ? length : 0] = '\0';
    if (started_by && is_same_file(started_by, self))
        path = started_by;
    else if (is_same_file(target, self))
        path = target;
    listing_open(listing, path, load_bias, true);
}

static int listing_add(struct dl_phdr_info *info, size_t size, void *context)
{
    struct listing *listing = context;
    bool is_executable = listing->seen == 0;

    (void)size;
    if (listing->seen++ >= listing->shim->objects_before)
        return 1;
    if (is_executable)
        listing_open_executable(listing, info->dlpi_addr);
    else if (info->dlpi_name[0] == '/' && strcmp(info->dlpi_name, listing->shim->path) != 0)
        listing_open(listing, info->dlpi_name, info->dlpi_addr, false);
    return listing->result;
}

int loaded_init(struct loaded *loaded, const struct shim *shim)
{
    struct listing listing = {.loaded = loaded, .shim = shim};

    memset(loaded, 0, sizeof(*loaded));
    dl_iterate_phdr(listing_add, &listing);
    if (listing.result != 0)
        loaded_finish(loaded);
    return listing.result;
}

void loaded_finish(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->count; i++)
        object_close(loaded->objects[i]);
    free(loaded->objects);
    memset(loaded, 0, sizeof(*loaded));
}

uint64_t loaded_ifunc(const struct object *object, const struct object_symbol *symbol, void *context)
{
    /* x86-64 resolvers take no arguments (glibc manual of the dynamic linker, sysdeps/x86_64/dl-irel.h). */
    uint64_t (*resolver)(void) = (uint64_t(*)(void))(object->load_bias + symbol->address);

    (void)context;
    return resolver();
}
