#include "preload/control/reports/mapped.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "preload/control/memory/safe_read.h"

enum {
    OBJECTS_MAX = 512,
    SEGMENTS_MAX = 64,
    NOTES_BYTES_MAX = 4096,
};

/* dlfcn.h's struct dl_find_object, since glibc 2.35: looks without a lock. */
struct found_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    struct link_map *link_map;
    void *eh_frame; /* PT_GNU_EH_FRAME */
    unsigned long long reserved[7];
};

static int (*find_object)(void *address, struct found_object *ret_object);
static struct mapped objects[OBJECTS_MAX];
static size_t object_count;

static int list_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct mapped *object = &objects[object_count];

    (void)size;
    (void)context;
    if (object_count == OBJECTS_MAX)
        return 1;
    *object = (struct mapped){.start = UINTPTR_MAX, .bias = info->dlpi_addr};
    object->name = object_count == 0 ? 0 : (uintptr_t)info->dlpi_name;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_GNU_EH_FRAME)
            object->eh_frame_hdr = begin;
        if (segment->p_type != PT_LOAD)
            continue;
        if (begin < object->start)
            object->start = begin & ~(uintptr_t)4095;
        if (begin + segment->p_memsz > object->end)
            object->end = begin + segment->p_memsz;
    }
    object_count++;
    return 0;
}

void mapped_init(void)
{
    *(void **)&find_object = dlsym(RTLD_DEFAULT, "_dl_find_object");
    if (!find_object)
        dl_iterate_phdr(list_object, NULL);
}

static bool find_listed(uintptr_t address, struct mapped *ret_mapped)
{
    for (size_t i = 0; i < object_count; i++) {
        if (address >= objects[i].start && address < objects[i].end) {
            *ret_mapped = objects[i];
            return true;
        }
    }
    return false;
}

bool mapped_find(uintptr_t address, struct mapped *ret_mapped)
{
    struct found_object found;
    struct link_map map;
    char first;

    if (!find_object)
        return find_listed(address, ret_mapped);
    if (find_object((void *)address, &found) != 0 || !safe_read((uintptr_t)found.link_map, &map, sizeof(map)))
        return false;
    *ret_mapped = (struct mapped){
        .start = (uintptr_t)found.map_start,
        .end = (uintptr_t)found.map_end,
        .bias = map.l_addr,
        .eh_frame_hdr = (uintptr_t)found.eh_frame,
        .name = safe_read((uintptr_t)map.l_name, &first, 1) && first ? (uintptr_t)map.l_name : 0,
    };
    return true;
}

void mapped_path(const struct mapped *mapped, const char *program, char path[PATH_MAX])
{
    if (mapped->name) {
        safe_read_string(mapped->name, path, PATH_MAX);
    } else {
        strncpy(path, program, PATH_MAX - 1);
        path[PATH_MAX - 1] = '\0';
    }
}

static void put_hexadecimal(const uint8_t *bytes, size_t count, char build_id[MAPPED_BUILD_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;

    for (size_t i = 0; i < count && length + 2 < MAPPED_BUILD_ID_BYTES; i++) {
        build_id[length++] = digits[bytes[i] >> 4];
        build_id[length++] = digits[bytes[i] & 15];
    }
    build_id[length] = '\0';
}

/* Notes are aligned to 4 bytes, whatever their segment says: a build id is 4-aligned in either way. */
bool mapped_note_build_id(const uint8_t *notes, size_t bytes, char build_id[MAPPED_BUILD_ID_BYTES])
{
    size_t at = 0;

    while (bytes - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        uint64_t name_bytes, all_bytes;

        memcpy(&note, notes + at, sizeof(note));
        name_bytes = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
        all_bytes = sizeof(note) + name_bytes + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
        if (all_bytes > bytes - at)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            memcmp(notes + at + sizeof(note), "GNU", sizeof("GNU")) == 0) {
            put_hexadecimal(notes + at + sizeof(note) + name_bytes, note.n_descsz, build_id);
            return true;
        }
        at += all_bytes;
    }
    return false;
}

/* The ELF header lies where the object begins, in all that linkers write. */
void mapped_build_id(const struct mapped *mapped, char build_id[MAPPED_BUILD_ID_BYTES])
{
    static uint8_t notes[NOTES_BYTES_MAX];
    Elf64_Ehdr header;

    build_id[0] = '\0';
    if (!safe_read(mapped->start, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    for (unsigned i = 0; i < header.e_phnum && i < SEGMENTS_MAX; i++) {
        Elf64_Phdr segment;

        if (!safe_read(mapped->start + header.e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
            return;
        if (segment.p_type == PT_NOTE && segment.p_memsz <= sizeof(notes) &&
            safe_read(mapped->bias + segment.p_vaddr, notes, segment.p_memsz) &&
            mapped_note_build_id(notes, segment.p_memsz, build_id))
            return;
    }
}
