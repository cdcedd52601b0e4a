#include "symbols/elf/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/common/diag.h"

#define IMAGE_DEBUG_ROOT "/usr/lib/debug"

static int image_map(struct image *image, const char *path, struct diag *diag)
{
    struct stat status;
    void *map;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int result = 0;

    if (fd < 0) {
        result = -errno;
        diag_set(diag, "%s: %s", path, strerror(errno));
        return result;
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr)) {
        diag_set(diag, "%s: not an ELF file", path);
        result = -ENOEXEC;
        goto opened;
    }
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        result = -errno;
        diag_set(diag, "%s: mmap: %s", path, strerror(errno));
        goto opened;
    }
    image->bytes = map;
    image->length = (size_t)status.st_size;
opened:
    close(fd);
    return result;
}

/* The reason why the header is not one of an x86-64 program or library, or NULL. */
static const char *image_refuse_header(const struct image *image, bool is_shared)
{
    const Elf64_Ehdr *header = (const void *)image->bytes;

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return "not an ELF file";
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return "a 32-bit ELF file; callmeter is for x86-64";
    if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
        return "an ELF file for another processor; callmeter is for x86-64";
    if (!is_shared && header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return "neither a program nor a shared library";
    return NULL;
}

static int image_init_file(struct image *image, const char *path, bool is_shared, struct diag *diag)
{
    const char *reason;
    int result;

    memset(image, 0, sizeof(*image));
    result = image_map(image, path, diag);
    if (result < 0)
        return result;
    image->path = strdup(path);
    if (!image->path) {
        image_finish(image);
        diag_set(diag, "%s: %s", path, strerror(ENOMEM));
        return -ENOMEM;
    }
    reason = image_refuse_header(image, is_shared);
    if (!reason) {
        elf_version(EV_CURRENT);
        /* libelf writes to an image only where it inflates sections (image_allow_inflation): the cast only serves its
         * prototype */
        image->elf = elf_memory((char *)(uintptr_t)image->bytes, image->length);
        reason = image->elf ? NULL : "a damaged ELF file";
    }
    if (reason) {
        diag_set(diag, "%s: %s", path, reason);
        image_finish(image);
        return -ENOEXEC;
    }
    return 0;
}

int image_init(struct image *image, const char *path, struct diag *diag)
{
    return image_init_file(image, path, false, diag);
}

int image_init_shared(struct image *image, const char *path, struct diag *diag)
{
    return image_init_file(image, path, true, diag);
}

int image_allow_inflation(struct image *image)
{
    return mprotect((void *)(uintptr_t)image->bytes, image->length, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
}

void image_finish(struct image *image)
{
    if (image->elf)
        elf_end(image->elf);
    if (image->bytes)
        munmap((void *)(uintptr_t)image->bytes, image->length);
    free(image->path);
    memset(image, 0, sizeof(*image));
}

Elf_Scn *image_section_by_type(const struct image *image, uint32_t type, GElf_Shdr *ret_header)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;

    while ((section = elf_nextscn(image->elf, section))) {
        if (gelf_getshdr(section, &header) && header.sh_type == type) {
            *ret_header = header;
            return section;
        }
    }
    return NULL;
}

Elf_Scn *image_section_by_name(const struct image *image, const char *name, GElf_Shdr *ret_header)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    size_t names;

    if (elf_getshdrstrndx(image->elf, &names) < 0)
        return NULL;
    while ((section = elf_nextscn(image->elf, section))) {
        const char *found = gelf_getshdr(section, &header) ? elf_strptr(image->elf, names, header.sh_name) : NULL;

        if (found && strcmp(found, name) == 0) {
            *ret_header = header;
            return section;
        }
    }
    return NULL;
}

void image_spell_build_id(const void *id, size_t length, char *text)
{
    for (size_t i = 0; i < length; i++)
        snprintf(text + i * 2, 3, "%02x", ((const uint8_t *)id)[i]);
}

void image_debug_path(const char *build_id, char *path, size_t bytes)
{
    snprintf(path, bytes, IMAGE_DEBUG_ROOT "/.build-id/%.2s/%s.debug", build_id, build_id + 2);
}

/* The build id among the notes in `data`, or NULL. */
static char *image_note_build_id(Elf_Data *data)
{
    GElf_Nhdr note;
    size_t name;
    size_t value;
    size_t offset = 0;

    while ((offset = gelf_getnote(data, offset, &note, &name, &value)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") || note.n_descsz == 0 ||
            note.n_descsz > IMAGE_BUILD_ID_BYTES_MAX)
            continue;
        if (memcmp((const char *)data->d_buf + name, "GNU", sizeof("GNU")) == 0) {
            char *text = malloc(2 * (size_t)note.n_descsz + 1);

            if (text)
                image_spell_build_id((const char *)data->d_buf + value, note.n_descsz, text);
            return text;
        }
    }
    return NULL;
}

char *image_build_id(const struct image *image)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    GElf_Phdr segment;
    size_t segments = 0;

    while ((section = elf_nextscn(image->elf, section))) {
        Elf_Data *data;
        char *id;

        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE)
            continue;
        data = elf_getdata(section, NULL);
        id = data && data->d_buf ? image_note_build_id(data) : NULL;
        if (id)
            return id;
    }
    elf_getphdrnum(image->elf, &segments);
    for (size_t i = 0; i < segments && i < INT_MAX; i++) {
        Elf_Data *data;
        char *id;

        if (!gelf_getphdr(image->elf, (int)i, &segment) || segment.p_type != PT_NOTE ||
            segment.p_offset > image->length || segment.p_filesz > image->length - segment.p_offset)
            continue;
        data = elf_getdata_rawchunk(image->elf, (int64_t)segment.p_offset, segment.p_filesz,
                                    segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
        id = data && data->d_buf ? image_note_build_id(data) : NULL;
        if (id)
            return id;
    }
    return NULL;
}

bool image_debug_link(const struct image *image, const char **ret_name, uint32_t *ret_checksum)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_name(image, ".gnu_debuglink", &header);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    const char *name = data ? data->d_buf : NULL;
    size_t end;

    if (!name || data->d_size < 8)
        return false;
    end = strnlen(name, data->d_size);
    if (end == 0 || ((end + 4) & ~(size_t)3) > data->d_size - 4 || memchr(name, '/', end))
        return false;
    memcpy(ret_checksum, name + ((end + 4) & ~(size_t)3), sizeof(*ret_checksum));
    *ret_name = name;
    return true;
}

/* CRC-32 as .gnu_debuglink uses it: reflected, polynomial 0x04C11DB7 (gdb manual, "Separate Debug Files"). */
static uint32_t image_checksum(const struct image *image)
{
    uint32_t table[256];
    uint32_t crc = UINT32_MAX;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t entry = i;

        for (int bit = 0; bit < 8; bit++)
            entry = (entry >> 1) ^ ((entry & 1) ? UINT32_C(0xEDB88320) : 0);
        table[i] = entry;
    }
    for (size_t i = 0; i < image->length; i++)
        crc = table[(crc ^ image->bytes[i]) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

/* What a debug file must agree with: the build id if the object has one, else the checksum. */
struct image_debug_wanted {
    const char *build_id;
    bool has_checksum;
    uint32_t checksum;
};

static int image_init_matching(struct image *image, const char *path, const struct image_debug_wanted *wanted)
{
    struct diag ignored = {0};
    char *build_id;
    bool is_match;

    if (image_init(image, path, &ignored) < 0)
        return -ENOENT;
    build_id = image_build_id(image);
    if (wanted->build_id)
        is_match = build_id && strcmp(build_id, wanted->build_id) == 0;
    else
        is_match = wanted->has_checksum && image_checksum(image) == wanted->checksum;
    free(build_id);
    if (is_match)
        return 0;
    image_finish(image);
    return -ENOENT;
}

static int image_init_linked(struct image *image, const char *link, const char *object_path,
                             const struct image_debug_wanted *wanted)
{
    static const char *const formats[] = {"%s/%s", "%s/.debug/%s", IMAGE_DEBUG_ROOT "%s/%s"};
    char *folder = realpath(object_path, NULL);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    int result = -ENOENT;

    if (slash)
        *slash = '\0';
    for (size_t i = 0; slash && i < sizeof(formats) / sizeof(*formats) && result < 0; i++) {
        char path[PATH_MAX];
        int length;

        length = snprintf(path, sizeof(path), formats[i], folder, link);
        if (length > 0 && (size_t)length < sizeof(path))
            result = image_init_matching(image, path, wanted);
    }
    free(folder);
    return result;
}

int image_init_debug(struct image *image, const struct image *object, const char *object_path, const char *build_id)
{
    struct image_debug_wanted wanted = {.build_id = build_id};
    const char *link = NULL;
    int result = -ENOENT;

    memset(image, 0, sizeof(*image));
    if (build_id && strlen(build_id) > 2) {
        char path[sizeof(IMAGE_DEBUG_ROOT "/.build-id/xx/.debug") + 2 * IMAGE_BUILD_ID_BYTES_MAX];

        image_debug_path(build_id, path, sizeof(path));
        result = image_init_matching(image, path, &wanted);
    }
    if (result < 0 && image_debug_link(object, &link, &wanted.checksum)) {
        wanted.has_checksum = true;
        result = image_init_linked(image, link, object_path, &wanted);
    }
    return result;
}
