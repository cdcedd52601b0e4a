#include "preload/host/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/host/allocator.h"
#include "preload/host/rebind.h"

enum {
    OBJECTS_MAX = 512
};

/* What the loader says of one object. */
struct object {
    struct link_map *map;
    uintptr_t low, high;
    const char *strings;
    const Elf64_Sym *symbols;
    bool is_seen; /* reached from the object whose libraries are followed */
};

struct objects {
    struct object at[OBJECTS_MAX];
    size_t count;
    size_t before;     /* those that were there before the module */
    bool are_led_back; /* imports that were captured */
};

static uintptr_t dynamic_value(const struct link_map *map, Elf64_Sxword tag)
{
    for (const Elf64_Dyn *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return entry->d_un.d_ptr;
    return 0;
}

/* A pointer, which ld.so has relocated in every object but the vDSO. */
static const void *dynamic_pointer(const struct link_map *map, Elf64_Sxword tag)
{
    uintptr_t value = dynamic_value(map, tag);

    return (const void *)(value && value < map->l_addr ? value + map->l_addr : value);
}

static int note_range(struct dl_phdr_info *info, size_t size, void *context)
{
    struct objects *objects = context;

    (void)size;
    for (size_t i = 0; i < objects->count; i++) {
        struct object *object = &objects->at[i];

        if (object->map->l_addr != info->dlpi_addr || strcmp(object->map->l_name, info->dlpi_name) != 0)
            continue;
        object->low = UINTPTR_MAX;
        for (unsigned p = 0; p < info->dlpi_phnum; p++) {
            const Elf64_Phdr *segment = &info->dlpi_phdr[p];
            uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

            if (segment->p_type != PT_LOAD)
                continue;
            object->low = begin < object->low ? begin : object->low;
            object->high = begin + segment->p_memsz > object->high ? begin + segment->p_memsz : object->high;
        }
        break;
    }
    return 0;
}

static void objects_init(struct objects *objects, struct link_map *any)
{
    memset(objects, 0, sizeof(*objects));
    while (any->l_prev)
        any = any->l_prev;
    for (; any && objects->count < OBJECTS_MAX; any = any->l_next) {
        struct object *object = &objects->at[objects->count++];

        object->map = any;
        object->strings = dynamic_pointer(any, DT_STRTAB);
        object->symbols = dynamic_pointer(any, DT_SYMTAB);
    }
    dl_iterate_phdr(note_range, objects);
}

static struct object *object_of(struct objects *objects, uintptr_t address)
{
    for (size_t i = 0; i < objects->count; i++)
        if (address >= objects->at[i].low && address < objects->at[i].high)
            return &objects->at[i];
    return NULL;
}

static bool is_called(const struct object *object, const char *soname)
{
    uintptr_t offset = dynamic_value(object->map, DT_SONAME);
    const char *base = strrchr(object->map->l_name, '/');

    if (offset && object->strings && strcmp(object->strings + offset, soname) == 0)
        return true;
    return strcmp(base ? base + 1 : object->map->l_name, soname) == 0;
}

/* Marks the object and all libraries that it needs, directly or not. */
static void mark_needed(struct objects *objects, struct object *object)
{
    if (object->is_seen)
        return;
    object->is_seen = true;
    for (const Elf64_Dyn *entry = object->map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag != DT_NEEDED)
            continue;
        for (size_t i = 0; i < objects->count; i++)
            if (is_called(&objects->at[i], object->strings + entry->d_un.d_val))
                mark_needed(objects, &objects->at[i]);
    }
}

static bool is_libc_function(const char *name)
{
    static void *libc;

    if (!libc)
        libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return libc && dlsym(libc, name);
}

/* Objects that stand before libc are there to take its place (allocators, libfaketime). The program itself is not, but
 * for an allocator that it brings, and for variables that it has copies of (stdout). */
static bool may_provide(bool is_program, const Elf64_Sym *symbol, const char *strings)
{
    const char *name = strings + symbol->st_name;

    if (is_program && ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
        return allocator_has(name);
    return is_libc_function(name);
}

/* True if an object outside the marked ones provides what is imported there, in place of a library that is no libc.
 * What came with the module may serve each other: libunwind and its kind for other processes have many names in
 * common. */
static bool is_captured(struct objects *objects, const struct object *object, const Elf64_Sym *symbol,
                        uintptr_t address)
{
    const struct object *provider = object_of(objects, address);

    return provider && !provider->is_seen && provider < &objects->at[objects->before] &&
           !may_provide(provider == &objects->at[0], symbol, object->strings);
}

/* The name of an import that was captured, and is not led back; or NULL. */
static const char *captured_in(struct objects *objects, const struct object *object, const Elf64_Rela *table,
                               size_t bytes)
{
    for (const Elf64_Rela *relocation = table; relocation && (uintptr_t)relocation < (uintptr_t)table + bytes;
         relocation++) {
        const Elf64_Sym *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
        unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
        uintptr_t *slot = (uintptr_t *)(object->map->l_addr + relocation->r_offset);

        /* Not R_X86_64_64: that may be a variable with an initial value, which has changed since. */
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
            continue;
        /* Weak imports are the start files' own (__gmon_start__, _ITM_...), and whoever has them is meant. */
        if (symbol->st_name == 0 || (symbol->st_shndx == SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) == STB_WEAK))
            continue;
        if (is_captured(objects, object, symbol, *slot) &&
            !(objects->are_led_back && rebind(object->map, object->strings + symbol->st_name, slot)))
            return object->strings + symbol->st_name;
    }
    return NULL;
}

/* Looks through what dlopen brought in: the module, and the libraries behind it that were not there before. */
static const char *captured_name(struct link_map *module, size_t objects_before, bool are_led_back)
{
    struct objects *objects = malloc(sizeof(*objects));
    const char *name = NULL;

    if (!objects)
        return NULL;
    objects_init(objects, module);
    objects->before = objects_before;
    objects->are_led_back = are_led_back;
    for (size_t i = objects_before; i < objects->count && !name; i++) {
        struct object *object = &objects->at[i];

        for (size_t j = 0; j < objects->count; j++)
            objects->at[j].is_seen = false;
        mark_needed(objects, object);
        name = captured_in(objects, object, dynamic_pointer(object->map, DT_JMPREL),
                           dynamic_value(object->map, DT_PLTRELSZ));
        if (!name)
            name = captured_in(objects, object, dynamic_pointer(object->map, DT_RELA),
                               dynamic_value(object->map, DT_RELASZ));
    }
    free(objects);
    return name;
}

static size_t count_objects(void)
{
    struct link_map *map = NULL;
    size_t count = 0;
    void *program = dlopen(NULL, RTLD_LAZY);

    if (program && dlinfo(program, RTLD_DI_LINKMAP, &map) == 0)
        for (; map; map = map->l_next)
            count++;
    return count;
}

/* A program at a fixed address has an entry of its PLT in the place of each function of a library whose address it
 * takes: an undefined symbol with a value. */
static bool is_stand_in(const void *address)
{
    const Elf64_Sym *symbol = NULL;
    Dl_info info;

    return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && symbol->st_shndx == SHN_UNDEF;
}

static bool is_malloc_libcs_own(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *first = dlsym(RTLD_DEFAULT, "malloc");

    if (first && is_stand_in(first))
        first = dlsym(RTLD_NEXT, "malloc");
    return libc && first && dlsym(libc, "malloc") == first;
}

static int module_try(const char *path, int flags, bool are_led_back, void **ret_handle, char *text, size_t text_bytes)
{
    size_t objects_before = count_objects();
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
    struct link_map *map;
    const char *name;

    if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        snprintf(text, text_bytes, "%s", dlerror());
        return -ENOENT;
    }
    name = captured_name(map, objects_before, are_led_back);
    if (name) {
        snprintf(text, text_bytes,
                 "the program has a function of its own that is called %s, as one of a library that callmeter needs",
                 name);
        dlclose(handle);
        return -EEXIST;
    }
    *ret_handle = handle;
    return 0;
}

int module_open(const char *path, void **ret_handle, char *text, size_t text_bytes)
{
    bool has_own_malloc = !is_malloc_libcs_own();
    int result = module_try(path, 0, has_own_malloc, ret_handle, text, text_bytes);

    if (result == -EEXIST && !has_own_malloc)
        result = module_try(path, RTLD_DEEPBIND, false, ret_handle, text, text_bytes);
    return result;
}
