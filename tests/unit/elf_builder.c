#include "elf_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SECTIONS_MAX = 16,
    NAMES_BYTES = 512,
};

static void write_at(int file, const void *bytes, size_t length, uint64_t offset)
{
    if (length > 0)
        assert_int_equal(pwrite(file, bytes, length, (off_t)offset), length);
}

/* The headers of all sections, and the names; the last one is the table of names. */
static void lay_out(const struct elf_builder *builder, Elf64_Shdr *headers, char *names, size_t *ret_names)
{
    uint64_t offset = ELF_BUILDER_CODE;
    size_t used = 1;

    for (size_t i = 0; i < builder->section_count; i++) {
        const struct elf_builder_section *section = &builder->sections[i];

        headers[i + 1] = (Elf64_Shdr){.sh_name = (uint32_t)used,
                                      .sh_type = section->type,
                                      .sh_flags = section->flags,
                                      .sh_addr = section->address,
                                      .sh_offset = section->offset ? section->offset : offset,
                                      .sh_size = section->length,
                                      .sh_link = section->link,
                                      .sh_addralign = 1,
                                      .sh_entsize = section->entry_bytes};
        strcpy(names + used, section->name);
        used += strlen(section->name) + 1;
        offset = (offset + section->length + 15) & ~(uint64_t)15;
    }
    strcpy(names + used, ".shstrtab");
    headers[builder->section_count + 1] =
        (Elf64_Shdr){.sh_name = (uint32_t)used, .sh_type = SHT_STRTAB, .sh_offset = offset, .sh_addralign = 1};
    used += sizeof(".shstrtab");
    headers[builder->section_count + 1].sh_size = used;
    *ret_names = used;
}

void elf_builder_write(const struct elf_builder *builder, char *path)
{
    Elf64_Shdr headers[SECTIONS_MAX] = {0};
    char names[NAMES_BYTES] = {0};
    size_t name_bytes;
    size_t count = builder->section_count ? builder->section_count + 2 : 0;
    Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_DYN,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_ehsize = sizeof(Elf64_Ehdr),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_shentsize = sizeof(Elf64_Shdr)};
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_true(count <= SECTIONS_MAX);
    lay_out(builder, headers, names, &name_bytes);
    header.e_phnum = (uint16_t)builder->segment_count;
    header.e_phoff = builder->segment_count ? sizeof(header) : 0;
    header.e_shnum = (uint16_t)count;
    header.e_shstrndx = count ? (uint16_t)(count - 1) : 0;
    if (count) {
        header.e_shoff = (headers[count - 1].sh_offset + name_bytes + 15) & ~(uint64_t)15;
        write_at(file, names, name_bytes, headers[count - 1].sh_offset);
        write_at(file, headers, count * sizeof(*headers), header.e_shoff);
    }
    for (size_t i = 0; i < builder->section_count; i++)
        if (builder->sections[i].type != SHT_NOBITS)
            write_at(file, builder->sections[i].bytes, builder->sections[i].length, headers[i + 1].sh_offset);
    write_at(file, &header, sizeof(header), 0);
    write_at(file, builder->segments, builder->segment_count * sizeof(*builder->segments), sizeof(header));
    if (builder->length)
        assert_int_equal(ftruncate(file, (off_t)builder->length), 0);
    close(file);
}

void pen_put(struct pen *pen, uint64_t value, size_t bytes)
{
    pen_put_bytes(pen, &value, bytes);
}

void pen_put_bytes(struct pen *pen, const void *bytes, size_t count)
{
    assert_true(pen->length + count <= sizeof(pen->bytes));
    memcpy(pen->bytes + pen->length, bytes, count);
    pen->length += count;
}
