#include "symbols/debuginfo/debuginfo.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elfutils/libdwelf.h>

#include "symbols/common/bulk.h"
#include "symbols/common/diag.h"
#include "symbols/debuginfo/units.h"
#include "symbols/elf/image.h"
#include "symbols/elf/object.h"

static bool debuginfo_is_in(const struct image *image, size_t *ret_bytes)
{
    GElf_Shdr header;
    GElf_Chdr compressed;
    Elf_Scn *section = image_section_by_name(image, ".debug_info", &header);

    if (!section)
        section = image_section_by_name(image, ".zdebug_info", &header);
    if (!section)
        return false;
    *ret_bytes = header.sh_size;
    if (gelf_getchdr(section, &compressed))
        *ret_bytes = compressed.ch_size;
    return header.sh_type != SHT_NOBITS;
}

static int debuginfo_refuse_absent(const struct object *object, struct diag *diag)
{
    diag_set(
        diag,
        "no debug information for %s (build id %s): install its -dbgsym package, build with -g, or give \"arg\" in "
        "place of \"param\"",
        object->base_name, object->build_id ? object->build_id : "none");
    return -ENOENT;
}

/* The object itself or its debug file, whichever has DWARF. */
static int debuginfo_open_image(struct debuginfo *debuginfo, const struct object *object, struct diag *diag)
{
    struct image *image = &debuginfo->image;
    struct image debug;
    int result = image_init(image, object->path, diag);

    if (result < 0)
        return result;
    if (debuginfo_is_in(image, &debuginfo->bytes))
        return 0;
    if (image_init_debug(&debug, image, object->path, object->build_id) < 0)
        return debuginfo_refuse_absent(object, diag);
    image_finish(image);
    *image = debug;
    return debuginfo_is_in(image, &debuginfo->bytes) ? 0 : debuginfo_refuse_absent(object, diag);
}

/* Maps the shared file if it is the right one. */
static bool debuginfo_open_shared_at(struct debuginfo *debuginfo, const char *path, const char *build_id)
{
    struct diag ignored = {0};
    char *found;
    bool is_match;

    if (image_init_shared(&debuginfo->shared, path, &ignored) < 0)
        return false;
    found = image_build_id(&debuginfo->shared);
    is_match = found && strcmp(found, build_id) == 0;
    free(found);
    if (!is_match)
        image_finish(&debuginfo->shared);
    return is_match;
}

/* Where dwz says that the file is, as seen from the file that says it; then by its build id. */
static bool debuginfo_find_shared(struct debuginfo *debuginfo, const char *name, const char *build_id)
{
    char *real = realpath(debuginfo->image.path, NULL);
    char path[PATH_MAX];
    bool is_found;

    if (name[0] == '/')
        snprintf(path, sizeof(path), "%s", name);
    else
        snprintf(path, sizeof(path), "%.*s/%s", real ? (int)(strrchr(real, '/') - real) : 0, real ? real : "", name);
    is_found = debuginfo_open_shared_at(debuginfo, path, build_id);
    free(real);
    if (is_found)
        return true;
    image_debug_path(build_id, path, sizeof(path));
    return debuginfo_open_shared_at(debuginfo, path, build_id);
}

static int debuginfo_open_shared(struct debuginfo *debuginfo, struct diag *diag)
{
    const char *name = NULL;
    const void *id = NULL;
    char text[2 * IMAGE_BUILD_ID_BYTES_MAX + 1];
    ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(debuginfo->dwarf, &name, &id);

    if (bytes <= 1 || bytes > IMAGE_BUILD_ID_BYTES_MAX)
        return 0;
    image_spell_build_id(id, (size_t)bytes, text);
    if (!debuginfo_find_shared(debuginfo, name, text)) {
        diag_set(diag, "the debug information in %s needs the file %s, which is not there", debuginfo->image.path,
                 name);
        return -ENOENT;
    }
    if (image_allow_inflation(&debuginfo->shared) == 0)
        debuginfo->shared_dwarf = dwarf_begin_elf(debuginfo->shared.elf, DWARF_C_READ, NULL);
    if (!debuginfo->shared_dwarf) {
        diag_set(diag, "%s: damaged debug information", name);
        return -EINVAL;
    }
    dwarf_setalt(debuginfo->dwarf, debuginfo->shared_dwarf);
    return 0;
}

static int debuginfo_open_dwarf(struct debuginfo *debuginfo, struct diag *diag)
{
    int result = image_allow_inflation(&debuginfo->image);

    if (result < 0) {
        diag_set(diag, "%s: %s", debuginfo->image.path, strerror(-result));
        return -EFBIG; /* no room for this file is no reason to give up all functions */
    }
    debuginfo->dwarf = dwarf_begin_elf(debuginfo->image.elf, DWARF_C_READ, NULL);
    if (!debuginfo->dwarf) {
        diag_set(diag, "%s: damaged debug information (%s)", debuginfo->image.path, dwarf_errmsg(-1));
        return -EINVAL;
    }
    return debuginfo_open_shared(debuginfo, diag);
}

int debuginfo_open(const struct object *object, size_t bytes_max, struct debuginfo **ret_debuginfo, struct diag *diag)
{
    struct debuginfo *debuginfo = calloc(1, sizeof(*debuginfo));
    int result;

    if (!debuginfo) {
        diag_set(diag, "%s: %s", object->path, strerror(ENOMEM));
        return -ENOMEM;
    }
    result = debuginfo_open_image(debuginfo, object, diag);
    if (result == 0 && debuginfo->bytes > bytes_max) {
        diag_set(diag, "%s: %zu bytes of debug information are too many", debuginfo->image.path, debuginfo->bytes);
        result = -EFBIG;
    }
    if (result == 0)
        result = debuginfo_open_dwarf(debuginfo, diag);
    if (result < 0) {
        debuginfo_close(debuginfo);
        return result;
    }
    *ret_debuginfo = debuginfo;
    return 0;
}

void debuginfo_close(struct debuginfo *debuginfo)
{
    if (!debuginfo)
        return;
    dwarf_end(debuginfo->dwarf);
    dwarf_end(debuginfo->shared_dwarf);
    image_finish(&debuginfo->image);
    image_finish(&debuginfo->shared);
    for (size_t i = 0; i < debuginfo->unit_count; i++)
        bulk_free(debuginfo->units[i].entries);
    free(debuginfo->units);
    bulk_free(debuginfo->ranges);
    free(debuginfo);
}
