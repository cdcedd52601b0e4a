#include "symbols/elf/object.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/common/bulk.h"
#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/frames.h"
#include "symbols/elf/image.h"
#include "symbols/elf/name.h"
#include "symbols/elf/runtime.h"
#include "symbols/elf/symtab.h"

/* An executable PT_LOAD, the part of it that is in the file. */
struct object_segment {
    uint64_t address;
    uint64_t offset;
    uint64_t bytes;
};

/* An executable section. */
struct object_section {
    uint64_t start;
    uint64_t end;
    bool is_plt;
};

struct object_files {
    struct image image;
    struct image debug;
    struct object_segment *segments;
    size_t segment_count;
    struct object_section *sections;
    size_t section_count;
    struct symtab symtab;
    struct frames frames;
    bool has_frames; /* they were read */
    struct bulk_text demangled;
};

static char object_not_mangled[] = ""; /* stands in symbol->demangled once the demangler has refused the name */

static int object_read_segments(struct object_files *files)
{
    size_t count = 0;

    if (elf_getphdrnum(files->image.elf, &count) < 0 || count == 0 || count > UINT16_MAX)
        return 0;
    files->segments = calloc(count, sizeof(*files->segments));
    if (!files->segments)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        uint64_t bytes;

        if (!gelf_getphdr(files->image.elf, (int)i, &header) || header.p_type != PT_LOAD || !(header.p_flags & PF_X))
            continue;
        if (header.p_offset >= files->image.length)
            continue;
        bytes = files->image.length - header.p_offset;
        bytes = header.p_filesz < bytes ? header.p_filesz : bytes;
        if (bytes > UINT64_MAX - header.p_vaddr)
            continue;
        files->segments[files->segment_count++] =
            (struct object_segment){.address = header.p_vaddr, .offset = header.p_offset, .bytes = bytes};
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

static const struct object_section *object_section_at(const struct object_files *files, uint64_t address)
{
    for (size_t i = 0; i < files->section_count; i++) {
        if (address >= files->sections[i].start && address < files->sections[i].end)
            return &files->sections[i];
    }
    return NULL;
}

static const struct object_segment *object_segment_at(const struct object_files *files, uint64_t address)
{
    for (size_t i = 0; i < files->segment_count; i++) {
        if (address - files->segments[i].address < files->segments[i].bytes)
            return &files->segments[i];
    }
    return NULL;
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
        image_finish(&object->files->debug);
        image_finish(&object->files->image);
        free(object->files->segments);
        free(object->files->sections);
    }
    free(object->files);
    free(object->path);
    free(object->soname);
    free(object->build_id);
    free(object);
}

const uint8_t *object_code(const struct object *object, uint64_t address, size_t *ret_bytes)
{
    const struct object_segment *segment = object_segment_at(object->files, address);
    uint64_t offset;

    if (!segment)
        return NULL;
    offset = address - segment->address;
    *ret_bytes = (size_t)(segment->bytes - offset);
    return object->files->image.bytes + segment->offset + offset;
}

const uint8_t *object_section(const struct object *object, size_t n, uint64_t *ret_address, size_t *ret_bytes)
{
    const struct object_files *files = object->files;

    for (size_t i = 0; i < files->section_count; i++) {
        const struct object_section *section = &files->sections[i];
        size_t bytes;
        const uint8_t *code = object_code(object, section->start, &bytes);

        if (!code || n-- > 0)
            continue;
        *ret_address = section->start;
        *ret_bytes = section->end - section->start < bytes ? (size_t)(section->end - section->start) : bytes;
        return code;
    }
    return NULL;
}

/* The position of the first symbol at or above an address. */
static size_t object_lower_bound(const struct object *object, uint64_t address)
{
    size_t low = 0;
    size_t high = object->symbol_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->symbols[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t object_room(const struct object *object, uint64_t address)
{
    const struct object_section *section = object_section_at(object->files, address);
    size_t room = 0;
    size_t next;

    if (address == UINT64_MAX || !object_code(object, address, &room))
        return 0;
    if (section && section->end - address < room)
        room = (size_t)(section->end - address);
    next = object_lower_bound(object, address + 1);
    if (next < object->symbol_count && object->symbols[next].address - address < room)
        room = (size_t)(object->symbols[next].address - address);
    return room;
}

const struct symbol *object_symbol_at(const struct object *object, uint64_t address)
{
    size_t position = object_lower_bound(object, address);

    if (position < object->symbol_count && object->symbols[position].address == address)
        return &object->symbols[position];
    return NULL;
}

const struct symbol *object_symbol_around(const struct object *object, uint64_t address)
{
    size_t position = object_lower_bound(object, address);
    const struct symbol *symbol = position > 0 ? &object->symbols[position - 1] : NULL;

    return symbol && address - symbol->address < symbol->size ? symbol : NULL;
}

bool object_has_function_code(const struct object *object, uint64_t address)
{
    const struct object_section *section = object_section_at(object->files, address);

    return object_segment_at(object->files, address) && section && !section->is_plt;
}

bool object_frame(const struct object *object, uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes)
{
    struct object_files *files = object->files;
    const struct frame *frame;

    if (!files->has_frames && frames_read(&files->frames, &files->image) < 0)
        return false;
    files->has_frames = true;
    frame = frames_find(&files->frames, address);
    if (!frame)
        return false;
    *ret_start = frame->address;
    *ret_bytes = frame->bytes;
    return true;
}

bool object_is_called(const struct object *object, const char *glob)
{
    return name_glob(glob, object->base_name) || (object->soname && name_glob(glob, object->soname));
}

static char *object_name_clone(struct bulk_text *texts, const char *function, const char *suffix)
{
    char *text = NULL;
    char *result;

    if (asprintf(&text, "%s [clone %s]", function, suffix) < 0)
        return NULL;
    result = bulk_text_copy(texts, text);
    free(text);
    return result;
}

static char *object_demangle(struct bulk_text *texts, const char *name)
{
    size_t length;
    char *text;
    char *result = NULL;

    name_split_clone(name, &length);
    text = demangle(name, length, DEMANGLE_FULL);
    if (text && name[length] == '\0')
        result = bulk_text_copy(texts, text);
    else if (text)
        result = object_name_clone(texts, text, name + length);
    free(text);
    return result;
}

const char *object_symbol_demangled(const struct object *object, const struct symbol *symbol)
{
    /* symbols are always elements of object->symbols, which is not const: this fills a cache there */
    struct symbol *kept = (struct symbol *)(uintptr_t)symbol;

    if (!symbol->demangled && demangle_is_mangled(symbol->name))
        kept->demangled = object_demangle(&object->files->demangled, symbol->name);
    if (!symbol->demangled)
        kept->demangled = object_not_mangled;
    return symbol->demangled[0] ? symbol->demangled : NULL;
}
