#include "symbols/elf/object_files.h"

const struct object_section *object_section_at(const struct object_files *files, uint64_t address)
{
    for (size_t i = 0; i < files->section_count; i++) {
        if (address >= files->sections[i].start && address < files->sections[i].end)
            return &files->sections[i];
    }
    return NULL;
}

const struct object_segment *object_segment_at(const struct object_files *files, uint64_t address)
{
    for (size_t i = 0; i < files->segment_count; i++) {
        if (address - files->segments[i].address < files->segments[i].bytes)
            return &files->segments[i];
    }
    return NULL;
}
