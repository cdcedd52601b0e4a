#include "preload/control/late/manifest_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbols/elf/name.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_link(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

/* By the names that the resolver holds `object` against. The third is asked for once, if anybody wants to know. */
struct names {
    const struct late_object *object;
    char *real_path;
    bool is_asked;
};

static bool is_named(struct names *names, const char *pattern)
{
    if (name_glob(pattern, base_name(names->object->path)) ||
        (names->object->soname && name_glob(pattern, names->object->soname)))
        return true;
    if (!names->is_asked && is_link(names->object->path))
        names->real_path = realpath(names->object->path, NULL);
    names->is_asked = true;
    return names->real_path && name_glob(pattern, base_name(names->real_path));
}

static bool is_meant(const struct manifest_function *function, uint32_t found, struct names *names)
{
    return function->object ? is_named(names, function->object) : found == 0;
}

/* Gauges that are fed by calls name their function by its place. */
static void move_gauge(const struct manifest_part *part, struct manifest_gauge *gauge)
{
    if (gauge->source != MANIFEST_GAUGE_CALL)
        return;
    for (size_t i = 0; i < part->manifest.function_count; i++) {
        if (part->entries[i] == gauge->function) {
            gauge->function = i;
            return;
        }
    }
    gauge->source = MANIFEST_GAUGE_NONE;
}

static int copy_resources(struct manifest_part *part, const struct manifest *manifest)
{
    part->manifest.resources = calloc(manifest->resource_count + 1, sizeof(*manifest->resources));
    if (!part->manifest.resources)
        return -ENOMEM;
    for (size_t i = 0; i < manifest->resource_count; i++) {
        part->manifest.resources[i] = manifest->resources[i];
        move_gauge(part, &part->manifest.resources[i].in_use);
        move_gauge(part, &part->manifest.resources[i].limit);
    }
    return 0;
}

static size_t count_meant(const struct manifest *manifest, const uint32_t *found, struct names *names)
{
    size_t count = 0;

    for (size_t i = 0; i < manifest->function_count; i++)
        count += is_meant(&manifest->functions[i], found[i], names);
    return count;
}

static int copy_functions(struct manifest_part *part, const struct manifest *manifest, const uint32_t *found,
                          struct names *names)
{
    size_t count = count_meant(manifest, found, names);
    size_t used = 0;

    if (count == 0)
        return 0;
    part->manifest.functions = calloc(count, sizeof(*manifest->functions));
    part->entries = calloc(count, sizeof(*part->entries));
    if (!part->manifest.functions || !part->entries)
        return -ENOMEM;
    for (size_t i = 0; i < manifest->function_count; i++) {
        if (!is_meant(&manifest->functions[i], found[i], names))
            continue;
        part->manifest.functions[used] = manifest->functions[i];
        part->entries[used++] = i;
    }
    part->manifest.function_count = used;
    return copy_resources(part, manifest);
}

int manifest_part_init(struct manifest_part *part, const struct manifest *manifest, const uint32_t *found,
                       const struct late_object *object)
{
    struct names names = {.object = object};
    int result;

    *part = (struct manifest_part){.manifest = *manifest};
    part->manifest.functions = NULL;
    part->manifest.function_count = 0;
    part->manifest.resources = NULL;
    result = copy_functions(part, manifest, found, &names);
    free(names.real_path);
    if (result != 0)
        manifest_part_finish(part);
    return result;
}

void manifest_part_finish(struct manifest_part *part)
{
    free(part->manifest.functions);
    free(part->manifest.resources);
    free(part->entries);
    *part = (struct manifest_part){0};
}
