#include "preload/control/memory/memory.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/objects/span.h"
#include "preload/shim.h"

#define PAGE ((uintptr_t)4096)

enum {
    RANGES_MAX = 1024,
    STAT_BYTES = 2048,
    STAT_START_BRK = 47, /* proc(5), /proc/PID/stat; counted from 1 */
    STAT_COMM = 2,
};

/* The program and the libraries that it needs are never unmapped. What was loaded by dlopen may be, so it is left out:
 * an object counts if one that counts needs it. */
struct needed {
    const struct link_map *objects[RANGES_MAX];
    size_t count;
};

static const Elf64_Dyn *dynamic_entry(const struct link_map *object, Elf64_Sxword tag)
{
    for (const Elf64_Dyn *entry = object->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return entry;
    return NULL;
}

/* ld.so has made the address of the table absolute, but not for the vDSO. */
static const char *strings_of(const struct link_map *object)
{
    const Elf64_Dyn *entry = dynamic_entry(object, DT_STRTAB);

    return entry && entry->d_un.d_ptr > object->l_addr ? (const char *)entry->d_un.d_ptr : NULL;
}

static bool is_called(const struct link_map *object, const char *name)
{
    const Elf64_Dyn *soname = dynamic_entry(object, DT_SONAME);
    const char *strings = strings_of(object);
    const char *slash = strrchr(object->l_name, '/');

    if (soname && strings && strcmp(strings + soname->d_un.d_val, name) == 0)
        return true;
    return strcmp(slash ? slash + 1 : object->l_name, name) == 0 || strcmp(object->l_name, name) == 0;
}

static bool has(const struct needed *needed, const struct link_map *object)
{
    for (size_t i = 0; i < needed->count; i++)
        if (needed->objects[i] == object)
            return true;
    return false;
}

static void add(struct needed *needed, const struct link_map *program, const char *name)
{
    for (const struct link_map *object = program; object; object = object->l_next)
        if (is_called(object, name) && !has(needed, object) && needed->count < RANGES_MAX)
            needed->objects[needed->count++] = object;
}

static void find_needed(struct needed *needed)
{
    const struct link_map *program = span_debug()->r_map;

    needed->objects[needed->count++] = program;
    for (size_t i = 0; i < needed->count; i++) {
        const char *strings = strings_of(needed->objects[i]);

        for (const Elf64_Dyn *entry = needed->objects[i]->l_ld; strings && entry && entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_NEEDED)
                add(needed, program, strings + entry->d_un.d_val);
    }
}

struct finding {
    struct needed needed;
    struct read_range *ranges;
    size_t count;
};

static bool is_needed(const struct finding *finding, const struct dl_phdr_info *info)
{
    for (size_t i = 0; i < finding->needed.count; i++) {
        const struct link_map *object = finding->needed.objects[i];

        if (object->l_addr == info->dlpi_addr && strcmp(object->l_name, info->dlpi_name) == 0)
            return true;
    }
    return false;
}

static int add_segments(struct dl_phdr_info *info, size_t size, void *context)
{
    struct finding *finding = context;

    (void)size;
    if (!is_needed(finding, info))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && segment->p_flags & PF_R && finding->count < RANGES_MAX)
            finding->ranges[finding->count++] =
                (struct read_range){low & ~(PAGE - 1), (low + segment->p_memsz + PAGE - 1) & ~(PAGE - 1)};
    }
    return 0;
}

static int compare_ranges(const void *left, const void *right)
{
    uintptr_t a = ((const struct read_range *)left)->low;
    uintptr_t b = ((const struct read_range *)right)->low;

    return a < b ? -1 : a > b;
}

/* Whole pages are mapped, so most objects come to one range: a short search. */
static void merge_ranges(struct finding *finding)
{
    size_t merged = 0;

    for (size_t i = 1; i < finding->count; i++) {
        if (finding->ranges[i].low > finding->ranges[merged].high)
            finding->ranges[++merged] = finding->ranges[i];
        else if (finding->ranges[i].high > finding->ranges[merged].high)
            finding->ranges[merged].high = finding->ranges[i].high;
    }
    if (finding->count)
        finding->count = merged + 1;
}

/* Where the heap of brk(2) begins; UINTPTR_MAX: not to be found out. */
static uintptr_t break_low(void)
{
    char text[STAT_BYTES];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    char *field;
    int number = STAT_COMM;

    if (file)
        fclose(file);
    text[length] = '\0';
    field = strrchr(text, ')');
    for (; field && number < STAT_START_BRK; number++)
        field = strchr(field + 1, ' ');
    return field && strtoull(field, NULL, 10) ? (uintptr_t)strtoull(field, NULL, 10) : UINTPTR_MAX;
}

void memory_init(const struct shim *shim)
{
    struct finding *finding = calloc(1, sizeof(*finding));

    if (!finding)
        return;
    finding->ranges = calloc(RANGES_MAX, sizeof(*finding->ranges)); /* for ever */
    if (finding->ranges) {
        find_needed(&finding->needed);
        dl_iterate_phdr(add_segments, finding);
        qsort(finding->ranges, finding->count, sizeof(*finding->ranges), compare_ranges);
        merge_ranges(finding);
        shim->calls->read_init(finding->ranges, finding->count, break_low(), dlsym(RTLD_DEFAULT, "__curbrk"));
    }
    free(finding);
}
