#include "symbols/elf/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"

/* Text that a symbol's demangled name may be asked by, without blanks. */
struct lookup_key {
    char *text;
    uint32_t symbol;
};

enum {
    LOOKUP_KEYS_A_SYMBOL = 3, /* all of it, without the return type, the name alone (or with Rust's hash) */
};

struct lookup {
    const struct object *object;
    const struct lookup_wanted *wanted;
    struct hash by_name; /* ELF names without clone suffix, to positions in object->symbols */
    struct hash by_demangled;
    struct lookup_key *keys;
    struct bulk_text texts; /* of the keys */
    size_t key_count;
    bool has_demangled;
};

/* Files a symbol under `text`, which it takes over; NULL is passed over. */
static void lookup_add_key(struct lookup *lookup, char *text, uint32_t symbol)
{
    uint64_t key;
    char *kept;

    if (!text)
        return;
    demangle_normalize(text);
    key = hash_bytes(text, strlen(text));
    for (uint32_t i = hash_first(&lookup->by_demangled, key); i != HASH_END; i = hash_next(&lookup->by_demangled, i)) {
        if (lookup->keys[i].symbol == symbol && strcmp(lookup->keys[i].text, text) == 0) {
            free(text);
            return;
        }
    }
    kept = bulk_text_copy(&lookup->texts, text);
    free(text);
    if (!kept)
        return;
    lookup->keys[lookup->key_count] = (struct lookup_key){.text = kept, .symbol = symbol};
    hash_add(&lookup->by_demangled, key, (uint32_t)lookup->key_count++);
}

static char *lookup_rust_name_with_hash(const char *name, size_t length, const char *hash)
{
    char *text = demangle(name, length, DEMANGLE_FULL);
    size_t bytes = text ? strlen(text) : 0;
    char *result = text ? realloc(text, bytes + sizeof("::h") + 16) : NULL;

    if (!result) {
        free(text);
        return NULL;
    }
    memcpy(result + bytes, "::h", 3);
    memcpy(result + bytes + 3, hash, 16);
    result[bytes + 3 + 16] = '\0';
    return result;
}

/* A demangled name that begins with the function's own has no return type in front. */
static bool lookup_is_prefix(const char *plain, const char *full)
{
    return plain && full && strncmp(full, plain, strlen(plain)) == 0;
}

static void lookup_add_demangled(struct lookup *lookup, uint32_t position)
{
    const char *name = lookup->object->symbols[position].name;
    const char *hash;
    size_t length;
    char *full;
    char *plain;

    if (!demangle_is_mangled(name))
        return;
    name_split_clone(name, &length);
    if (!lookup_wanted_may_mean(lookup->wanted, name, length))
        return;
    hash = demangle_rust_hash(name, length);
    full = demangle(name, length, DEMANGLE_FULL);
    if (hash) {
        lookup_add_key(lookup, full, position);
        lookup_add_key(lookup, lookup_rust_name_with_hash(name, length, hash), position);
        return;
    }
    plain = demangle(name, length, DEMANGLE_NAME);
    if (!lookup_is_prefix(plain, full))
        lookup_add_key(lookup, demangle(name, length, DEMANGLE_NO_RETURN_TYPE), position);
    lookup_add_key(lookup, full, position);
    lookup_add_key(lookup, plain, position);
}

/* Left until a name is asked for that is not an ELF name. */
static int lookup_index_demangled(struct lookup *lookup)
{
    size_t mangled = 0;

    if (lookup->has_demangled)
        return 0;
    for (size_t i = 0; i < lookup->object->symbol_count; i++)
        mangled += demangle_is_mangled(lookup->object->symbols[i].name);
    lookup->keys = bulk_calloc(mangled * LOOKUP_KEYS_A_SYMBOL + 1, sizeof(*lookup->keys));
    if (!lookup->keys || hash_init(&lookup->by_demangled, mangled * LOOKUP_KEYS_A_SYMBOL) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < lookup->object->symbol_count; i++)
        lookup_add_demangled(lookup, (uint32_t)i);
    lookup->has_demangled = true;
    return 0;
}

int lookup_create(const struct object *object, const struct lookup_wanted *wanted, struct lookup **ret_lookup)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (!lookup)
        return -ENOMEM;
    lookup->object = object;
    lookup->wanted = wanted;
    if (hash_init(&lookup->by_name, object->symbol_count) < 0) {
        lookup_destroy(lookup);
        return -ENOMEM;
    }
    for (size_t i = object->symbol_count; i-- > 0;) {
        size_t length;

        name_split_clone(object->symbols[i].name, &length);
        hash_add(&lookup->by_name, hash_bytes(object->symbols[i].name, length), (uint32_t)i);
    }
    *ret_lookup = lookup;
    return 0;
}

void lookup_destroy(struct lookup *lookup)
{
    if (!lookup)
        return;
    bulk_text_finish(&lookup->texts);
    bulk_free(lookup->keys);
    hash_finish(&lookup->by_name);
    hash_finish(&lookup->by_demangled);
    free(lookup);
}

void lookup_result_finish(struct lookup_result *result)
{
    bulk_free(result->positions);
    memset(result, 0, sizeof(*result));
}

static void lookup_result_clear(struct lookup_result *result)
{
    result->count = 0;
    result->has_part = false;
    result->has_cold = false;
    result->left_out = HASH_END;
}

static int lookup_result_add(struct lookup_result *result, uint32_t position)
{
    uint32_t *positions = bulk_grow(result->positions, result->count, &result->capacity, 8, sizeof(*positions));

    if (!positions)
        return -ENOMEM;
    result->positions = positions;
    result->positions[result->count++] = position;
    return 0;
}

static int lookup_compare_positions(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;

    return (first > second) - (first < second);
}

/* How well a symbol answers to an exact name; the smallest that exists wins. */
enum lookup_rank {
    LOOKUP_RANK_EXACT,
    LOOKUP_RANK_SAME,
    LOOKUP_RANK_CLONE,
    LOOKUP_RANK_COUNT,
    LOOKUP_RANK_NONE = LOOKUP_RANK_COUNT,
};

static void lookup_note_left_out(struct lookup_result *result, enum name_clone clone, uint32_t position)
{
    result->has_part |= clone == NAME_CLONE_PART;
    result->has_cold |= clone == NAME_CLONE_COLD;
    if (result->left_out == HASH_END || clone == NAME_CLONE_PART)
        result->left_out = position;
}

static enum lookup_rank lookup_rank_of_clone(struct lookup_result *result, enum name_clone clone, uint32_t position)
{
    if (clone == NAME_CLONE_NONE)
        return LOOKUP_RANK_SAME;
    if (clone == NAME_CLONE_WHOLE)
        return LOOKUP_RANK_CLONE;
    lookup_note_left_out(result, clone, position);
    return LOOKUP_RANK_NONE;
}

/* Compares with the name that was asked for, `foo.part.0` or `foo@VERSION` too. */
static enum lookup_rank lookup_rank_elf(const struct symbol *symbol, const char *name, size_t length,
                                        struct lookup_result *result, uint32_t position)
{
    const char *version = name[length] == '@' ? name + length + 1 + (name[length + 1] == '@') : NULL;
    size_t base;
    enum name_clone clone = name_split_clone(symbol->name, &base);

    if (strncmp(symbol->name, name, length) == 0 && symbol->name[length] == '\0') {
        if (!version || (symbol->version && strcmp(symbol->version, version) == 0))
            return LOOKUP_RANK_EXACT;
        return LOOKUP_RANK_NONE;
    }
    if (version || base != length || memcmp(symbol->name, name, length) != 0)
        return LOOKUP_RANK_NONE;
    return lookup_rank_of_clone(result, clone, position);
}

/* One pass over everything that could be meant: keeps what has the best rank so far. */
struct lookup_search {
    struct lookup_result *result;
    enum lookup_rank best;
};

static int lookup_offer(struct lookup_search *search, enum lookup_rank rank, uint32_t position)
{
    if (rank == LOOKUP_RANK_NONE || rank > search->best)
        return 0;
    if (rank < search->best)
        search->result->count = 0;
    search->best = rank;
    return lookup_result_add(search->result, position);
}

static int lookup_search_elf(const struct lookup *lookup, const char *name, struct lookup_search *search)
{
    size_t length = strcspn(name, "@");
    size_t base;
    uint32_t i;
    int result = 0;

    if (length == 0)
        return 0;
    name_split_clone(name, &base);
    base = base < length ? base : length;
    for (i = hash_first(&lookup->by_name, hash_bytes(name, base)); i != HASH_END && result == 0;
         i = hash_next(&lookup->by_name, i)) {
        const struct symbol *symbol = &lookup->object->symbols[i];

        result = lookup_offer(search, lookup_rank_elf(symbol, name, length, search->result, i), i);
    }
    return result;
}

static int lookup_search_demangled(struct lookup *lookup, const char *name, struct lookup_search *search)
{
    char *text;
    uint32_t i;
    int result = lookup_index_demangled(lookup);

    if (result < 0)
        return result;
    text = strdup(name);
    if (!text)
        return -ENOMEM;
    demangle_normalize(text);
    for (i = hash_first(&lookup->by_demangled, hash_bytes(text, strlen(text))); i != HASH_END && result == 0;
         i = hash_next(&lookup->by_demangled, i)) {
        uint32_t position = lookup->keys[i].symbol;
        size_t base;
        enum name_clone clone = name_split_clone(lookup->object->symbols[position].name, &base);

        if (strcmp(lookup->keys[i].text, text) == 0)
            result = lookup_offer(search, lookup_rank_of_clone(search->result, clone, position), position);
    }
    free(text);
    return result;
}

int lookup_exact(struct lookup *lookup, const char *name, struct lookup_result *result)
{
    struct lookup_search search = {.result = result, .best = LOOKUP_RANK_NONE};
    int error;

    lookup_result_clear(result);
    error = lookup_search_elf(lookup, name, &search);
    if (error == 0 && search.best != LOOKUP_RANK_EXACT && !demangle_is_mangled(name))
        error = lookup_search_demangled(lookup, name, &search);
    if (result->count > 1)
        qsort(result->positions, result->count, sizeof(*result->positions), lookup_compare_positions);
    return error;
}

/* The C runtime's own, in every program: nobody who writes `*` means them. */
static bool lookup_is_runtime(const char *name)
{
    static const char *const names[] = {"_start",
                                        "_init",
                                        "_fini",
                                        "_dl_relocate_static_pie",
                                        "deregister_tm_clones",
                                        "register_tm_clones",
                                        "__do_global_dtors_aux",
                                        "__do_global_ctors_aux",
                                        "frame_dummy",
                                        "__libc_csu_init",
                                        "__libc_csu_fini",
                                        "__x86.get_pc_thunk.bx"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* Takes `text` over. */
static bool lookup_glob_text(const char *pattern, char *text)
{
    bool is_match = text && name_glob(pattern, text);

    free(text);
    return is_match;
}

/* Tries the three forms of a demangled name, but not those that cannot match where another did not: demangling is what
 * a glob's time goes into. */
static bool lookup_glob_demangled(const struct lookup *lookup, const char *pattern, const struct symbol *symbol,
                                  size_t base)
{
    const char *full = object_symbol_demangled(lookup->object, symbol);
    size_t length = strlen(pattern);
    bool takes_parameters = length > 0 && pattern[length - 1] == '*';
    char *plain;
    bool has_return_type;

    if (!full)
        return false;
    if (symbol->name[base] == '\0' && name_glob(pattern, full))
        return true;
    if (symbol->name[base] == '\0' && takes_parameters && !strchr(full, ' '))
        return false;
    plain = demangle(symbol->name, base, DEMANGLE_NAME);
    has_return_type = !lookup_is_prefix(plain, full);
    return lookup_glob_text(pattern, plain) ||
           (has_return_type && lookup_glob_text(pattern, demangle(symbol->name, base, DEMANGLE_NO_RETURN_TYPE))) ||
           (symbol->name[base] != '\0' && lookup_glob_text(pattern, demangle(symbol->name, base, DEMANGLE_FULL)));
}

/* Is the function that a clone was made from there itself? */
static bool lookup_has_original(const struct lookup *lookup, const char *name, size_t base)
{
    uint32_t i = hash_first(&lookup->by_name, hash_bytes(name, base));

    for (; i != HASH_END; i = hash_next(&lookup->by_name, i)) {
        const char *other = lookup->object->symbols[i].name;
        size_t length;

        if (name_split_clone(other, &length) == NAME_CLONE_NONE && length == base && memcmp(other, name, base) == 0)
            return true;
    }
    return false;
}

static bool lookup_glob_clone(const struct lookup *lookup, const char *pattern, const struct symbol *symbol,
                              size_t base)
{
    char *name;
    bool is_match;

    if (lookup_has_original(lookup, symbol->name, base))
        return false;
    name = strndup(symbol->name, base);
    is_match = name && name_glob(pattern, name);
    free(name);
    return is_match || lookup_glob_demangled(lookup, pattern, symbol, base);
}

static bool lookup_glob_matches(const struct lookup *lookup, const char *pattern, const struct symbol *symbol)
{
    size_t base;
    enum name_clone clone = name_split_clone(symbol->name, &base);

    if (clone == NAME_CLONE_COLD)
        return false;
    if ((clone == NAME_CLONE_NONE || strchr(pattern, '.')) && name_glob(pattern, symbol->name))
        return !lookup_is_runtime(symbol->name);
    if (clone == NAME_CLONE_NONE && symbol->name[base] == '\0')
        return lookup_glob_demangled(lookup, pattern, symbol, base);
    return clone != NAME_CLONE_PART && lookup_glob_clone(lookup, pattern, symbol, base);
}

int lookup_glob(struct lookup *lookup, const char *pattern, struct lookup_result *result)
{
    int error = 0;

    lookup_result_clear(result);
    for (size_t i = 0; i < lookup->object->symbol_count && error == 0; i++) {
        if (lookup_glob_matches(lookup, pattern, &lookup->object->symbols[i]))
            error = lookup_result_add(result, (uint32_t)i);
    }
    return error;
}

int lookup_cold(struct lookup *lookup, const struct symbol *symbol, struct lookup_result *result)
{
    size_t length = strlen(symbol->name);
    size_t base;
    uint32_t i;
    int error = 0;

    lookup_result_clear(result);
    name_split_clone(symbol->name, &base);
    for (i = hash_first(&lookup->by_name, hash_bytes(symbol->name, base)); i != HASH_END && error == 0;
         i = hash_next(&lookup->by_name, i)) {
        const char *name = lookup->object->symbols[i].name;

        if (strncmp(name, symbol->name, length) == 0 && strncmp(name + length, ".cold", 5) == 0)
            error = lookup_result_add(result, i);
    }
    return error;
}

uint32_t lookup_clone_beside(const struct lookup *lookup, const struct symbol *symbol)
{
    size_t base;
    uint32_t i;

    name_split_clone(symbol->name, &base);
    for (i = hash_first(&lookup->by_name, hash_bytes(symbol->name, base)); i != HASH_END;
         i = hash_next(&lookup->by_name, i)) {
        const struct symbol *other = &lookup->object->symbols[i];
        size_t length;
        enum name_clone clone = name_split_clone(other->name, &length);

        if (other->address == symbol->address || length != base || memcmp(other->name, symbol->name, base) != 0)
            continue;
        if (clone == NAME_CLONE_PART || clone == NAME_CLONE_WHOLE)
            return i;
    }
    return HASH_END;
}
