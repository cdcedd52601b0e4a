#include "preload/control/objects/loaded.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/control/objects/as_loaded.h"
#include "preload/control/objects/span.h"
#include "preload/shim.h"
#include "symbols/common/diag.h"

/* An object as the loader tells of it. */
struct entry {
    const char *name; /* the loader's own: it stays, since what was there from the start is never unloaded */
    uint64_t load_bias;
};

struct listing {
    struct loaded *loaded;
    const struct shim *shim;
    struct entry *entries;
    size_t count;
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
    if (!as_loaded_is(path, load_bias))
        listing->shim->log(LOG_LEVEL_WARN, "%s is left out: the file was replaced since it was loaded", path);
    else if (object_open(path, load_bias, is_executable, &objects[loaded->count], &diag) == 0)
        loaded->count++;
    else
        listing->shim->log(LOG_LEVEL_WARN, "%s is left out: %s", path, diag.text);
}

static bool is_same_file(const char *path, const char *other)
{
    struct stat a, b;

    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* By the name that it was started by, if that is its file: people know `redis-server`, not what it is a link to. A
 * program that execs itself as /proc/self/exe was started by no name. */
static void listing_open_executable(struct listing *listing, uint64_t load_bias)
{
    const char *self = span_program();
    const char *started_by = (const char *)getauxval(AT_EXECFN);
    char target[PATH_MAX];
    ssize_t length = readlink(self, target, sizeof(target) - 1);
    const char *path = self;

    target[length > 0 ? length : 0] = '\0';
    if (started_by && strncmp(started_by, "/proc/", 6) != 0 && is_same_file(started_by, self))
        path = started_by;
    else if (is_same_file(target, self))
        path = target;
    else if (started_by && access(self, F_OK) != 0) /* without /proc */
        path = started_by;
    listing_open(listing, path, load_bias, true);
}

/* Under the loader's lock: nothing else is done here. Allocators may unwind the stack, which takes that lock after one
 * of the unwinder's. */
static int listing_add(struct dl_phdr_info *info, size_t size, void *context)
{
    struct listing *listing = context;

    (void)size;
    if (listing->count == listing->shim->settings.objects_before)
        return 1;
    listing->entries[listing->count++] = (struct entry){info->dlpi_name, info->dlpi_addr};
    return 0;
}

static void listing_open_all(struct listing *listing)
{
    for (size_t i = 0; i < listing->count && listing->result == 0; i++) {
        const struct entry *entry = &listing->entries[i];

        if (i == 0)
            listing_open_executable(listing, entry->load_bias);
        else if (span_is_file(entry->name, entry->load_bias) && strcmp(entry->name, listing->shim->settings.path) != 0)
            listing_open(listing, entry->name, entry->load_bias, false);
    }
}

int loaded_init(struct loaded *loaded, const struct shim *shim)
{
    struct listing listing = {.loaded = loaded, .shim = shim};

    memset(loaded, 0, sizeof(*loaded));
    listing.entries = calloc(shim->settings.objects_before + 1, sizeof(*listing.entries));
    if (!listing.entries)
        return -ENOMEM;
    dl_iterate_phdr(listing_add, &listing);
    listing_open_all(&listing);
    free(listing.entries);
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

/* A pointer of the dynamic section, which ld.so has relocated. */
static const Elf64_Rela *dynamic_table(const struct dl_phdr_info *info, Elf64_Addr value)
{
    return (const Elf64_Rela *)(value && value < info->dlpi_addr ? value + info->dlpi_addr : value);
}

/* What ld.so put where the object itself uses the IFUNC; 0 if it does not. */
static uint64_t picked_in(const struct dl_phdr_info *info, uint64_t resolver, const Elf64_Rela *table, size_t bytes)
{
    for (size_t i = 0; table && i < bytes / sizeof(*table); i++)
        if (ELF64_R_TYPE(table[i].r_info) == R_X86_64_IRELATIVE && (uint64_t)table[i].r_addend == resolver)
            return *(const uint64_t *)(info->dlpi_addr + table[i].r_offset);
    return 0;
}

/* The IFUNC that is looked for, by its object and its resolver. */
struct pick {
    uint64_t load_bias;
    uint64_t resolver;
    uint64_t answer;
};

static int pick_look(struct dl_phdr_info *info, size_t size, void *context)
{
    struct pick *pick = context;
    const Elf64_Dyn *entry = NULL;
    const Elf64_Rela *table = NULL, *jumps = NULL;
    size_t table_bytes = 0, jumps_bytes = 0;

    (void)size;
    if (info->dlpi_addr != pick->load_bias)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const Elf64_Dyn *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELA)
            table = dynamic_table(info, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_RELASZ)
            table_bytes = entry->d_un.d_val;
        else if (entry->d_tag == DT_JMPREL)
            jumps = dynamic_table(info, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_PLTRELSZ)
            jumps_bytes = entry->d_un.d_val;
    }
    pick->answer = picked_in(info, pick->resolver, jumps, jumps_bytes);
    if (!pick->answer)
        pick->answer = picked_in(info, pick->resolver, table, table_bytes);
    return 1;
}

uint64_t loaded_ifunc(const struct object *object, const struct symbol *symbol, void *context)
{
    struct pick pick = {.load_bias = object->load_bias, .resolver = symbol->address};
    /* x86-64 resolvers take no arguments (glibc manual of the dynamic linker, sysdeps/x86_64/dl-irel.h). */
    uint64_t (*resolver)(void) = (uint64_t(*)(void))(object->load_bias + symbol->address);

    (void)context;
    dl_iterate_phdr(pick_look, &pick);
    return pick.answer ? pick.answer : resolver();
}
