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
struct image {
    struct link_map *map;
    uintptr_t low, high;
    const char *strings;
    const Elf64_Sym *symbols;
    bool is_seen; /* reached from the object whose libraries are followed */
};

struct images {
    struct image at[OBJECTS_MAX];
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

static int image_add(struct dl_phdr_info *info, size_t size, void *context)
{
    struct images *images = context;

    (void)size;
    for (size_t i = 0; i < images->count; i++) {
        struct image *image = &images->at[i];

        if (image->map->l_addr != info->dlpi_addr || strcmp(image->map->l_name, info->dlpi_name) != 0)
            continue;
        image->low = UINTPTR_MAX;
        for (unsigned p = 0; p < info->dlpi_phnum; p++) {
            const Elf64_Phdr *segment = &info->dlpi_phdr[p];
            uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

            if (segment->p_type != PT_LOAD)
                continue;
            image->low = begin < image->low ? begin : image->low;
            image->high = begin + segment->p_memsz > image->high ? begin + segment->p_memsz : image->high;
        }
        break;
    }
    return 0;
}

static void images_init(struct images *images, struct link_map *any)
{
    memset(images, 0, sizeof(*images));
    while (any->l_prev)
        any = any->l_prev;
    for (; any && images->count < OBJECTS_MAX; any = any->l_next) {
        struct image *image = &images->at[images->count++];

        image->map = any;
        image->strings = dynamic_pointer(any, DT_STRTAB);
        image->symbols = dynamic_pointer(any, DT_SYMTAB);
    }
    dl_iterate_phdr(image_add, images);
}

static struct image *image_of(struct images *images, uintptr_t address)
{
    for (size_t i = 0; i < images->count; i++)
        if (address >= images->at[i].low && address < images->at[i].high)
            return &images->at[i];
    return NULL;
}

static bool is_called(const struct image *image, const char *soname)
{
    uintptr_t offset = dynamic_value(image->map, DT_SONAME);
    const char *base = strrchr(image->map->l_name, '/');

    if (offset && image->strings && strcmp(image->strings + offset, soname) == 0)
        return true;
    return strcmp(base ? base + 1 : image->map->l_name, soname) == 0;
}

/* Marks the image and all libraries that it needs, directly or not. */
static void mark_needed(struct images *images, struct image *image)
{
    if (image->is_seen)
        return;
    image->is_seen = true;
    for (const Elf64_Dyn *entry = image->map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag != DT_NEEDED)
            continue;
        for (size_t i = 0; i < images->count; i++)
            if (is_called(&images->at[i], image->strings + entry->d_un.d_val))
                mark_needed(images, &images->at[i]);
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
static bool is_captured(struct images *images, const struct image *image, const Elf64_Sym *symbol, uintptr_t address)
{
    const struct image *provider = image_of(images, address);

    return provider && !provider->is_seen && provider < &images->at[images->before] &&
           !may_provide(provider == &images->at[0], symbol, image->strings);
}

/* The name of an import that was captured, and is not led back; or NULL. */
static const char *captured_in(struct images *images, const struct image *image, const Elf64_Rela *table, size_t bytes)
{
    for (const Elf64_Rela *relocation = table; relocation && (uintptr_t)relocation < (uintptr_t)table + bytes;
         relocation++) {
        const Elf64_Sym *symbol = &image->symbols[ELF64_R_SYM(relocation->r_info)];
        unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
        uintptr_t *slot = (uintptr_t *)(image->map->l_addr + relocation->r_offset);

        /* Not R_X86_64_64: that may be a variable with an initial value, which has changed since. */
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
            continue;
        /* Weak imports are the start files' own (__gmon_start__, _ITM_...), and whoever has them is meant. */
        if (symbol->st_name == 0 || (symbol->st_shndx == SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) == STB_WEAK))
            continue;
        if (is_captured(images, image, symbol, *slot) &&
            !(images->are_led_back && rebind(image->map, image->strings + symbol->st_name, slot)))
            return image->strings + symbol->st_name;
    }
    return NULL;
}

/* Looks through what dlopen brought in: the module, and the libraries behind it that were not there before. */
static const char *captured_name(struct link_map *module, size_t objects_before, bool are_led_back)
{
    struct images *images = malloc(sizeof(*images));
    const char *name = NULL;

    if (!images)
        return NULL;
    images_init(images, module);
    images->before = objects_before;
    images->are_led_back = are_led_back;
    for (size_t i = objects_before; i < images->count && !name; i++) {
        struct image *image = &images->at[i];

        for (size_t j = 0; j < images->count; j++)
            images->at[j].is_seen = false;
        mark_needed(images, image);
        name =
            captured_in(images, image, dynamic_pointer(image->map, DT_JMPREL), dynamic_value(image->map, DT_PLTRELSZ));
        if (!name)
            name =
                captured_in(images, image, dynamic_pointer(image->map, DT_RELA), dynamic_value(image->map, DT_RELASZ));
    }
    free(images);
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
