/* The files that an object was read from, and what they hold. Private to symbols/elf/. */
#ifndef CALLMETER_SYMBOLS_ELF_OBJECT_FILES_H
#define CALLMETER_SYMBOLS_ELF_OBJECT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/frames.h"
#include "symbols/elf/image.h"
#include "symbols/elf/links.h"
#include "symbols/elf/symtab.h"

/* A PT_LOAD, the part of it that is in the file. */
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
    struct object_segment *segments; /* executable ones */
    size_t segment_count;
    struct object_segment *loads; /* all of them */
    size_t load_count;
    struct object_section *sections;
    size_t section_count;
    struct symtab symtab;
    struct frames frames;
    bool has_frames; /* they were read */
    struct links links;
    struct plan_object plan_object; /* object_plan's; until it was asked for it is empty */
    struct bulk_text demangled;
};

/* The executable section, and the executable segment, that holds a virtual address; NULL if none does. */
const struct object_section *object_section_at(const struct object_files *files, uint64_t address);
const struct object_segment *object_segment_at(const struct object_files *files, uint64_t address);

#endif
