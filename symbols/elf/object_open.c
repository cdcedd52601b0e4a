/* Opens an ELF object: reads its headers, its symbols and what limits its functions, and lets go of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/common/diag.h"
#include "symbols/elf/makers.h"
#include "symbols/elf/object.h"
#include "symbols/elf/object_files.h"
#include "symbols/elf/runtime.h"

static int object_read_segments(struct object_files *files)
{
    size_t count = 0;

    if (elf_getphdrnum(files->image.elf, &count) < 0 || count == 0 || count > UINT16_MAX)
        return 0;
    files->segments = calloc(count, sizeof(*files->segments));
    files->loads = calloc(count, sizeof(*files->loads));
    if (!files->segments || !files->loads)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        uint64_t bytes;

        if (!gelf_getphdr(files->image.elf, (int)i, &header) || header.p_type != PT_LOAD)
            continue;
        if (header.p_offset >= files->image.length)
            continue;
        bytes = files->image.length - header.p_offset;
        bytes = header.p_filesz < bytes ? header.p_filesz : bytes;
        if (bytes > UINT64_MAX - header.p_vaddr)
            continue;
        files->loads[files->load_count++] =
            (struct object_segment){.address = header.p_vaddr, .offset = header.p_offset, .bytes = bytes};
        if (header.p_flags & PF_X)
            files->segments[files->segment_count++] = files->loads[files->load_count - 1];
    }
    return 0;
}

static int object_read_sections(struct object_files *files)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    size_t count = 0;
    size_t names = 0;

    if (elf_getshdrnum(files->image.elf, &count) < 0 || elf_getshdrstrndx(files->image.elf, &names) < 0)
        return 0;
    files->sections = calloc(count + 1, sizeof(*files->sections));
    if (!files->sections)
        return -ENOMEM;
    while (files->section_count < count && (section = elf_nextscn(files->image.elf, section))) {
        const char *name;

        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR) || !(header.sh_flags & SHF_ALLOC) ||
            header.sh_size > UINT64_MAX - header.sh_addr)
            continue;
        name = elf_strptr(files->image.elf, names, header.sh_name);
        files->sections[files->section_count++] =
            (struct object_section){.start = header.sh_addr,
                                    .end = header.sh_addr + header.sh_size,
                                    .is_plt = name && (strncmp(name, ".plt", 4) == 0 || strcmp(name, ".iplt") == 0)};
    }
    return 0;
}

/* A symtab_filter: keeps what lies in code. The object's own headers decide, also over what its debug file claims. */
static bool object_keeps(const struct symbol *symbol, bool is_untyped, void *context)
{
    const struct object_files *files = context;
    const struct object_section *section = object_section_at(files, symbol->address);

    if (!object_segment_at(files, symbol->address) || (section && section->is_plt))
        return false;
    return section || !is_untyped;
}

static bool object_is_loader(const struct object *object)
{
    static const char *const prefixes[] = {"ld-linux", "ld-musl", "ld64.so", "ld.so"};
    const char *name = object->soname ? object->soname : object->base_name;

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

static char *object_read_soname(const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_type(image, SHT_DYNAMIC, &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    GElf_Dyn entry;

    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
        const char *name = entry.d_tag == DT_SONAME ? elf_strptr(image->elf, header.sh_link, entry.d_un.d_val) : NULL;

        if (name)
            return strdup(name);
    }
    return NULL;
}

static char *object_absolute_path(const char *path)
{
    char *folder;
    char *result = NULL;

    if (path[0] == '/')
        return strdup(path);
    folder = getcwd(NULL, 0);
    if (folder && asprintf(&result, "%s/%s", folder, path) < 0)
        result = NULL;
    free(folder);
    return result;
}

static int object_read_symbols(struct object *object)
{
    struct object_files *files = object->files;
    struct symtab *symtab = &files->symtab;
    bool has_symtab = false;
    int result = symtab_read(symtab, &files->image, SHT_DYNSYM, object_keeps, files, NULL);

    if (result == 0)
        result = symtab_read(symtab, &files->image, SHT_SYMTAB, object_keeps, files, &has_symtab);
    if (result == 0 && !has_symtab &&
        image_init_debug(&files->debug, &files->image, object->path, object->build_id) == 0)
        result = symtab_read(symtab, &files->debug, SHT_SYMTAB, object_keeps, files, &has_symtab);
    if (result < 0)
        return result;
    symtab_sort(symtab);
    object->symbols = symtab->symbols;
    object->symbol_count = symtab->count;
    object->is_stripped = !has_symtab;
    object->makers = makers_of(&files->image, object->symbols, object->symbol_count);
    if (object->makers == OBJECT_MAKERS_UNKNOWN && files->debug.elf)
        object->makers = makers_of(&files->debug, object->symbols, object->symbol_count);
    return 0;
}

static int object_read(struct object *object)
{
    int result = object_read_segments(object->files);

    if (result == 0)
        result = object_read_sections(object->files);
    if (result < 0)
        return result;
    object->soname = object_read_soname(&object->files->image);
    object->build_id = image_build_id(&object->files->image);
    object->is_loader = object_is_loader(object);
    result = object_read_symbols(object);
    if (result < 0)
        return result;
    object->is_haskell = runtime_is_haskell(object);
    object->limit = runtime_limit_object(&object->files->image, object, &object->limit_reason);
    return result;
}

int object_open(const char *path, uint64_t load_bias, bool is_executable, struct object **ret_object, struct diag *diag)
{
    struct object *object = calloc(1, sizeof(*object));
    int result = -ENOMEM;

    if (!object)
        goto failed;
    object->files = calloc(1, sizeof(*object->files));
    object->path = object_absolute_path(path);
    if (!object->files || !object->path)
        goto failed;
    object->base_name = strrchr(object->path, '/') + 1;
    object->load_bias = load_bias;
    object->is_executable = is_executable;
    result = image_init(&object->files->image, object->path, diag);
    if (result < 0)
        goto allocated;
    result = object_read(object);
    if (result < 0)
        goto failed;
    *ret_object = object;
    return 0;
failed:
    diag_set(diag, "%s: %s", path, strerror(-result));
allocated:
    object_close(object);
    return result;
}

void object_close(struct object *object)
{
    if (!object)
        return;
    if (object->files) {
        bulk_text_finish(&object->files->demangled);
        symtab_finish(&object->files->symtab);
        frames_finish(&object->files->frames);
        plan_memo_destroy(object->files->plan_object.memo);
        links_finish(&object->files->links);
        image_finish(&object->files->debug);
        image_finish(&object->files->image);
        free(object->files->segments);
        free(object->files->loads);
        free(object->files->sections);
    }
    free(object->files);
    free(object->path);
    free(object->soname);
    free(object->build_id);
    free(object);
}
