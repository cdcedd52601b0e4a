/* Writes ELF files of a few hand-made sections and segments, as no link editor would make them. */
#ifndef CALLMETER_TESTS_UNIT_ELF_BUILDER_H
#define CALLMETER_TESTS_UNIT_ELF_BUILDER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_BUILDER_CODE = 0x1000, /* where bytes of sections begin in the file, one behind the other, 16 bytes aligned */
};

/* A section; its bytes lie in the file at `offset` (0: behind the section before it). */
struct elf_builder_section {
    const char *name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    const void *bytes;
    size_t length;
    uint32_t link;
    uint64_t entry_bytes;
    uint64_t offset;
};

/* Everything of a file. Section 0 and the table of names are added: the first of `sections` is number 1. */
struct elf_builder {
    const struct elf_builder_section *sections;
    size_t section_count;
    const Elf64_Phdr *segments;
    size_t segment_count;
    size_t length; /* the file is cut or filled to that; 0: as it comes */
};

/* Writes the file to `path`, which ends in XXXXXX and is made a name of its own. The caller removes it. */
void elf_builder_write(const struct elf_builder *builder, char *path);

/* Bytes that grow: what a section holds. */
struct pen {
    uint8_t bytes[512];
    size_t length;
};

/* Appends the low `bytes` bytes of a number. */
void pen_put(struct pen *pen, uint64_t value, size_t bytes);
void pen_put_bytes(struct pen *pen, const void *bytes, size_t count);

#endif
