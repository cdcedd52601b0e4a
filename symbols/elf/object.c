#include "symbols/elf/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"
#include "symbols/elf/object_files.h"

static char object_not_mangled[] = ""; /* stands in symbol->demangled once the demangler has refused the name */

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

bool object_has_function(const struct object *object, const char *name)
{
    for (size_t i = 0; i < object->symbol_count; i++)
        if (object->symbols[i].name[0] == name[0] && strcmp(object->symbols[i].name, name) == 0)
            return true;
    return false;
}

char *object_real_name(const struct object *object)
{
    char *real = realpath(object->path, NULL);
    char *name = real ? strdup(strrchr(real, '/') + 1) : NULL;

    free(real);
    return name;
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
