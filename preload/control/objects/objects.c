#include "preload/control/objects/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/objects/span.h"

enum {
    ENTRIES_AT_FIRST = 64,
    TEXT_AT_FIRST = 8192,
};

const Elf64_Dyn *objects_dynamic(const Elf64_Dyn *dynamic, Elf64_Sxword tag)
{
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag == tag)
            return dynamic;
    return NULL;
}

/* ld.so makes the table's address absolute when it maps an object, but not for the vDSO. */
const char *objects_strings(const Elf64_Dyn *dynamic, uintptr_t load_bias)
{
    const Elf64_Dyn *entry = objects_dynamic(dynamic, DT_STRTAB);

    if (!entry || !entry->d_un.d_ptr)
        return NULL;
    return (const char *)(entry->d_un.d_ptr < load_bias ? entry->d_un.d_ptr + load_bias : entry->d_un.d_ptr);
}

const char *objects_soname(const Elf64_Dyn *dynamic, uintptr_t load_bias)
{
    const Elf64_Dyn *entry = objects_dynamic(dynamic, DT_SONAME);
    const char *strings = objects_strings(dynamic, load_bias);

    return entry && strings ? strings + entry->d_un.d_val : NULL;
}

/* Counts on where there is no room: the next try has it. */
static void add(struct objects *objects, uintptr_t load_bias, const Elf64_Dyn *dynamic, const char *path,
                bool is_elsewhere)
{
    size_t bytes = strlen(path) + 1;

    if (objects->count < objects->capacity && objects->text_bytes + bytes <= objects->text_capacity) {
        char *copy = memcpy(objects->text + objects->text_bytes, path, bytes);

        objects->entries[objects->count] = (struct objects_entry){load_bias, dynamic, copy, is_elsewhere};
    }
    objects->count++;
    objects->text_bytes += bytes;
}

static int add_phdr(struct dl_phdr_info *info, size_t size, void *context)
{
    const Elf64_Dyn *dynamic = NULL;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    add(context, info->dlpi_addr, dynamic, info->dlpi_name, false);
    return 0;
}

static void add_all(struct objects *objects)
{
    objects->count = 0;
    objects->text_bytes = 0;
    dl_iterate_phdr(add_phdr, objects);
    for (const struct link_map *map = span_next_elsewhere(NULL); map; map = span_next_elsewhere(map))
        add(objects, map->l_addr, map->l_ld, map->l_name, true);
}

static bool has_room(const struct objects *objects)
{
    return objects->count <= objects->capacity && objects->text_bytes <= objects->text_capacity;
}

static int make_room(struct objects *objects, size_t entries, size_t text_bytes)
{
    objects_finish(objects);
    objects->entries = calloc(entries, sizeof(*objects->entries));
    objects->text = calloc(text_bytes, 1);
    objects->capacity = entries;
    objects->text_capacity = text_bytes;
    return objects->entries && objects->text ? 0 : -ENOMEM;
}

int objects_list(struct objects *objects)
{
    int result;

    *objects = (struct objects){0};
    result = make_room(objects, ENTRIES_AT_FIRST, TEXT_AT_FIRST);
    while (result == 0) {
        add_all(objects);
        if (has_room(objects))
            return 0;
        result = make_room(objects, objects->count * 2, objects->text_bytes * 2);
    }
    objects_finish(objects);
    return result;
}

void objects_finish(struct objects *objects)
{
    free(objects->entries);
    free(objects->text);
    *objects = (struct objects){0};
}

/* The loader's own count. */
struct changes {
    unsigned long long loaded;
    unsigned long long unloaded;
};

static int read_changes(struct dl_phdr_info *info, size_t size, void *context)
{
    struct changes *changes = context;

    (void)size;
    *changes = (struct changes){info->dlpi_adds, info->dlpi_subs};
    return 1;
}

bool objects_have_changed(void)
{
    static struct changes known;
    struct changes now = known;
    bool have_changed;

    dl_iterate_phdr(read_changes, &now);
    have_changed = now.loaded != known.loaded || now.unloaded != known.unloaded;
    known = now;
    return have_changed;
}
