#include "symbols/resolve/function_label.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/common/hash.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/place.h"

/* The symbol as people call it: demangled, without the suffix of a clone that stands for the whole function. */
static char *resolve_name_of_symbol(const struct object *object, const struct symbol *symbol)
{
    size_t length;
    enum name_clone clone = name_split_clone(symbol->name, &length);
    const char *demangled = object_symbol_demangled(object, symbol);
    char *text;

    if (clone == NAME_CLONE_PART || clone == NAME_CLONE_COLD)
        return strdup(demangled ? demangled : symbol->name);
    if (demangled && symbol->name[length] == '\0')
        return strdup(demangled);
    text = demangle(symbol->name, length, DEMANGLE_FULL);
    return text ? text : strndup(symbol->name, length);
}

static bool resolve_name_same_labels(const struct manifest_function *a, const struct manifest_function *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++) {
        if (strcmp(a->labels[i].name, b->labels[i].name) != 0 || strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    }
    return true;
}

/* Would both be the same series? */
static bool resolve_name_collides(const struct manifest *manifest, const struct resolve_target *a,
                                  const struct resolve_target *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->object->base_name, b->object->base_name) == 0 &&
           resolve_name_same_labels(&manifest->functions[a->function], &manifest->functions[b->function]);
}

static bool resolve_name_is_plain(const struct manifest *manifest, const struct resolve_target *target)
{
    size_t length;

    return !manifest->functions[target->function].name && !target->symbol->is_local &&
           target->symbol->is_default_version && name_split_clone(target->symbol->name, &length) == NAME_CLONE_NONE &&
           target->symbol->name[length] == '\0' && !object_symbol_demangled(target->object, target->symbol);
}

/* Does the source file tell a function from others of its name? Not if the compiler made up the file's name, as it does
 * for link-time optimization and for assembly; and of clones and Rust's instances, one file has several. */
static bool resolve_name_has_file(const struct symbol *symbol)
{
    size_t length = symbol->file ? strlen(symbol->file) : 0;
    size_t base;

    if (length == 0 || symbol->file[0] == '<' || (length > 2 && strcmp(symbol->file + length - 2, ".o") == 0))
        return false;
    name_split_clone(symbol->name, &base);
    return symbol->name[base] == '\0' && !demangle_rust_hash(symbol->name, base);
}

/* What tells a target from others of its name; see resolution.h. */
static char *resolve_name_suffix(const struct manifest *manifest, const struct resolve_target *target)
{
    const struct symbol *symbol = target->symbol;
    char *text;

    if (manifest->functions[target->function].name) {
        text = resolve_name_of_symbol(target->object, symbol);
        if (!text || strcmp(text, target->name) != 0)
            return text;
        free(text);
    }
    if (!symbol->is_default_version && symbol->version)
        return strdup(symbol->version);
    if (resolve_name_has_file(symbol))
        return strdup(symbol->file);
    if (strcmp(symbol->name, target->name) != 0)
        return strdup(symbol->name);
    return asprintf(&text, "0x%" PRIx64, target->address) < 0 ? NULL : text;
}

static int resolve_name_add_suffix(struct resolve_target *target, const char *suffix)
{
    char *name;

    if (asprintf(&name, "%s@%s", target->name, suffix) < 0)
        return -ENOMEM;
    demangle_sanitize(name);
    free(target->name);
    target->name = name;
    return 0;
}

/* The first target before `i` in the hash that collides with it, or HASH_END. */
static uint32_t resolve_name_find(const struct manifest *manifest, const struct resolve_target *targets,
                                  const struct hash *hash, size_t i)
{
    uint32_t other = hash_first(hash, hash_bytes(targets[i].name, strlen(targets[i].name)));

    while (other != HASH_END && !resolve_name_collides(manifest, &targets[other], &targets[i]))
        other = hash_next(hash, other);
    return other;
}

static void resolve_name_file(struct hash *hash, const struct resolve_target *targets, size_t i)
{
    hash_add(hash, hash_bytes(targets[i].name, strlen(targets[i].name)), (uint32_t)i);
}

/* An earlier target that is the same code as targets[i] under the same labels, or SIZE_MAX. `places` is keyed by
 * address. */
static size_t resolve_name_twin(const struct manifest *manifest, const struct resolve_target *targets,
                                const struct hash *places, size_t i)
{
    const struct resolve_target *target = &targets[i];
    uint32_t other = hash_first(places, hash_bytes(&target->address, sizeof(target->address)));

    for (; other != HASH_END; other = hash_next(places, other)) {
        if (targets[other].object == target->object && targets[other].address == target->address &&
            resolve_name_collides(manifest, &targets[other], target))
            return other;
    }
    return SIZE_MAX;
}

/* Finds those of equal names: twins, or functions that have to be told apart (is_ambiguous). */
static void resolve_name_compare(const struct manifest *manifest, const struct resolve_target *targets, size_t count,
                                 struct hash *names, struct hash *places, size_t *twin_of, bool *is_ambiguous)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t other;

        if (targets[i].state != RESOLVE_FOUND)
            continue;
        twin_of[i] = resolve_name_twin(manifest, targets, places, i);
        if (twin_of[i] != SIZE_MAX)
            continue;
        hash_add(places, hash_bytes(&targets[i].address, sizeof(targets[i].address)), (uint32_t)i);
        other = resolve_name_find(manifest, targets, names, i);
        if (other == HASH_END)
            resolve_name_file(names, targets, i);
        else
            is_ambiguous[other] = is_ambiguous[i] = true;
    }
}

/* Gives an ambiguous target its suffix, and the address behind it if another has the same still. */
static int resolve_name_settle(const struct manifest *manifest, struct resolve_target *targets, size_t i,
                               bool is_ambiguous, struct hash *hash)
{
    struct resolve_target *target = &targets[i];
    char address[24];
    int result = 0;

    if (is_ambiguous) {
        char *suffix = resolve_name_suffix(manifest, target);

        result = suffix ? resolve_name_add_suffix(target, suffix) : -ENOMEM;
        free(suffix);
    }
    if (result == 0 && resolve_name_find(manifest, targets, hash, i) != HASH_END) {
        snprintf(address, sizeof(address), "0x%" PRIx64, target->address);
        result = resolve_name_add_suffix(target, address);
    }
    if (result == 0)
        resolve_name_file(hash, targets, i);
    return result;
}

/* Those that keep their plain names go first, so that no suffix makes another's name. */
static int resolve_name_tell_apart(const struct manifest *manifest, struct resolve_target *targets, size_t count,
                                   const size_t *twin_of, const bool *is_ambiguous)
{
    struct hash hash;
    int result = hash_init(&hash, count);

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count && result == 0; i++) {
            bool is_plain = !is_ambiguous[i];

            if (targets[i].state != RESOLVE_FOUND || twin_of[i] != SIZE_MAX)
                continue;
            is_plain = is_plain || resolve_name_is_plain(manifest, &targets[i]);
            if (is_plain == (pass == 0))
                result = resolve_name_settle(manifest, targets, i, !is_plain, &hash);
        }
    }
    hash_finish(&hash);
    return result;
}

static int resolve_name_initial(const struct manifest_function *function, struct resolve_target *target)
{
    if (function->name)
        target->name = strdup(function->name);
    else if (target->state == RESOLVE_FOUND)
        target->name = resolve_name_of_symbol(target->object, target->symbol);
    else
        target->name = function->symbol ? strdup(function->symbol) : resolve_place_name(function->offset);
    if (!target->name)
        return -ENOMEM;
    demangle_sanitize(target->name);
    return 0;
}

int resolve_name_targets(const struct manifest *manifest, struct resolve_target *targets, size_t count, size_t *twin_of)
{
    bool *is_ambiguous = bulk_calloc(count + 1, sizeof(*is_ambiguous));
    struct hash names = {0};
    struct hash places = {0};
    int result = is_ambiguous ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && result == 0; i++) {
        twin_of[i] = SIZE_MAX;
        result = resolve_name_initial(&manifest->functions[targets[i].function], &targets[i]);
    }
    if (result == 0)
        result = hash_init(&names, count);
    if (result == 0)
        result = hash_init(&places, count);
    if (result == 0) {
        resolve_name_compare(manifest, targets, count, &names, &places, twin_of, is_ambiguous);
        result = resolve_name_tell_apart(manifest, targets, count, twin_of, is_ambiguous);
    }
    hash_finish(&names);
    hash_finish(&places);
    bulk_free(is_ambiguous);
    return result;
}
