#include "symbols/elf/variable.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"
#include "symbols/elf/object.h"
#include "symbols/elf/variable_table.h"
#include "symbols/values/value.h"

enum {
    POINTER_BYTES = 8,
    NAMED_MAX = 4, /* of variables with one name, how many a message tells of */
};

struct variable_search {
    struct object *const *objects;
    struct variable_table *tables; /* by object */
    size_t count;
};

int variable_search_create(struct object *const *objects, size_t count, struct variable_search **ret_search)
{
    struct variable_search *search = calloc(1, sizeof(*search));
    struct variable_table *tables = calloc(count + 1, sizeof(*tables));

    if (!search || !tables) {
        free(search);
        free(tables);
        return -ENOMEM;
    }
    *search = (struct variable_search){.objects = objects, .tables = tables, .count = count};
    *ret_search = search;
    return 0;
}

void variable_search_destroy(struct variable_search *search)
{
    if (!search)
        return;
    for (size_t i = 0; i < search->count; i++)
        variable_table_finish(&search->tables[i]);
    free(search->tables);
    free(search);
}

/* Names ------------------------------------------------------------------------------------------------------------ */

/* A name that is looked for, and what its comparison needs. */
struct wanted {
    const char *name;
    size_t length;
    char *normalized; /* as a demangled one would be written */
    const char *key;  /* part of the mangled name, or NULL: not known */
    size_t key_length;
};

/* The best of what was found in one table so far. */
struct match {
    const struct symbol *symbol; /* NULL: nothing */
    unsigned rank;               /* the lower, the better */
    unsigned count;              /* places of that rank */
};

static int wanted_init(struct wanted *wanted, const char *name)
{
    *wanted = (struct wanted){.name = name, .length = strlen(name), .normalized = strdup(name)};
    if (!wanted->normalized)
        return -ENOMEM;
    demangle_normalize(wanted->normalized);
    demangle_key(name, &wanted->key, &wanted->key_length);
    return 0;
}

/* Bytes of an ELF name without what the compiler appended to tell static ones apart (`pool.lto_priv.0`). */
static size_t own_length(const char *name)
{
    size_t length;

    return name_split_clone(name, &length) == NAME_CLONE_NONE ? length : strlen(name);
}

static bool is_elf_name(const struct wanted *wanted, const char *name)
{
    return strncmp(name, wanted->name, wanted->length) == 0 &&
           (name[wanted->length] == '\0' || own_length(name) == wanted->length);
}

static bool is_demangled_name(const struct wanted *wanted, const char *name)
{
    char *text;
    bool is_match;

    if (!demangle_is_mangled(name) || (wanted->key && !memmem(name, strlen(name), wanted->key, wanted->key_length)))
        return false;
    text = demangle(name, own_length(name), DEMANGLE_FULL);
    if (text)
        demangle_normalize(text);
    is_match = text && strcmp(text, wanted->normalized) == 0;
    free(text);
    return is_match;
}

/* UINT_MAX: it is not meant. */
static unsigned rank_of(const struct wanted *wanted, const struct symbol *symbol)
{
    bool is_elf = is_elf_name(wanted, symbol->name);

    if (!is_elf && !is_demangled_name(wanted, symbol->name))
        return UINT_MAX;
    return !is_elf * 4U + symbol->is_local * 2U + !symbol->is_default_version;
}

/* Symbols come by address. */
static struct match match_in(const struct symtab *symtab, const struct wanted *wanted)
{
    struct match match = {.rank = UINT_MAX};

    for (size_t i = 0; i < symtab->count; i++) {
        const struct symbol *symbol = &symtab->symbols[i];
        unsigned rank = rank_of(wanted, symbol);

        if (rank < match.rank)
            match = (struct match){.symbol = symbol, .rank = rank, .count = 1};
        else if (rank < UINT_MAX && rank == match.rank && symbol->address != match.symbol->address)
            match.count++;
    }
    return match;
}

/* Search ----------------------------------------------------------------------------------------------------------- */

static bool is_meant(const struct variable_query *query, const struct object *object)
{
    char *real;
    bool is_match;

    if (!query->object || object_is_called(object, query->object))
        return true;
    real = object_real_name(object);
    is_match = real && name_glob(query->object, real);
    free(real);
    return is_match;
}

/* What the program uses of a library's variables it may have a copy of, made when it was linked (R_X86_64_COPY, System
 * V ABI, AMD64 supplement, 4.4.1): the library uses that too, since the program comes first. */
static int prefer_copy(struct variable_search *search, size_t found, const struct symbol *symbol,
                       struct variable *variable)
{
    struct variable_table *program = &search->tables[0];
    const struct symbol *copy;
    int result;

    if (found == 0 || !search->objects[0]->is_executable || search->tables[found].is_symbolic ||
        !variable_table_exported(&search->tables[found], symbol->name))
        return 0;
    result = variable_table_read(program, search->objects[0]);
    copy = result == 0 ? variable_table_exported(program, symbol->name) : NULL;
    if (copy)
        *variable = (struct variable){
            .object = search->objects[0], .address = copy->address, .size = copy->size, .is_copy = true};
    return result;
}

static int refuse_several(const struct object *object, const struct symtab *symtab, const struct wanted *wanted,
                          const struct match *match, struct diag *diag)
{
    char places[256] = "";
    char quoted[DIAG_QUOTE_BYTES];
    size_t length = 0;
    unsigned named = 0;

    for (size_t i = 0; i < symtab->count && named < NAMED_MAX && length < sizeof(places); i++) {
        const struct symbol *symbol = &symtab->symbols[i];

        if (rank_of(wanted, symbol) != match->rank)
            continue;
        length += (size_t)snprintf(places + length, sizeof(places) - length, "%s0x%" PRIx64 "%s%s", named ? ", " : "",
                                   symbol->address, symbol->file ? " of " : "", symbol->file ? symbol->file : "");
        named++;
    }
    diag_set(diag, "%s has %u variables called %s (%s%s), and nothing tells which one is meant", object->base_name,
             match->count, diag_quote(quoted, wanted->name), places, match->count > named ? ", ..." : "");
    return -EINVAL;
}

/* -ENOENT without a text: the object has none. */
static int find_in(struct variable_search *search, size_t position, const struct wanted *wanted,
                   struct variable *variable, struct diag *diag)
{
    const struct object *object = search->objects[position];
    struct variable_table *table = &search->tables[position];
    int result = variable_table_read(table, object);
    struct match match;

    if (result < 0)
        return result;
    match = match_in(&table->variables, wanted);
    if (!match.symbol)
        return -ENOENT;
    if (match.count > 1)
        return refuse_several(object, &table->variables, wanted, &match, diag);
    *variable = (struct variable){.object = object, .address = match.symbol->address, .size = match.symbol->size};
    return match.symbol->is_local ? 0 : prefer_copy(search, position, match.symbol, variable);
}

/* Reasons ---------------------------------------------------------------------------------------------------------- */

/* What a search that found nothing came upon. */
struct trace {
    const struct object *first; /* that was searched */
    size_t searched;
    const struct object *stripped;
    const struct object *per_thread; /* has a variable of that name that each thread has of its own */
    bool has_function;               /* of that name */
    struct suggestion suggestion;
};

static bool has_thread_local(struct variable_table *table, const struct object *object, const struct wanted *wanted)
{
    struct symtab symtab = {.types = SYMTAB_THREAD_LOCAL};
    bool is_there;

    if (!table->image.elf)
        return false;
    is_there = variable_table_symbols(table, object, &symtab) == 0 && match_in(&symtab, wanted).symbol;
    symtab_finish(&symtab);
    return is_there;
}

static void suggest_in(const struct variable_table *table, struct suggestion *suggestion)
{
    size_t length = strlen(suggestion->word);

    for (size_t i = 0; i < table->variables.count; i++) {
        const char *name = table->variables.symbols[i].name;
        size_t other = strlen(name);

        if ((other > length ? other - length : length - other) <= (length + 2) / 3)
            suggest_consider(suggestion, name);
    }
}

static void trace_add(struct trace *trace, struct variable_search *search, size_t position, const struct wanted *wanted)
{
    const struct object *object = search->objects[position];

    if (trace->searched++ == 0)
        trace->first = object;
    if (object->is_stripped && !trace->stripped)
        trace->stripped = object;
    if (!trace->per_thread && has_thread_local(&search->tables[position], object, wanted))
        trace->per_thread = object;
    trace->has_function |= object_has_function(object, wanted->name);
    suggest_in(&search->tables[position], &trace->suggestion);
}

/* Appends to the text of a diag. */
__attribute__((format(printf, 2, 3))) static void append(struct diag *diag, const char *format, ...)
{
    char text[sizeof(diag->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    diag_set(diag, "%s; %s", diag->text, text);
}

static int explain_absence(const struct variable_query *query, const struct trace *trace, struct diag *diag)
{
    char quoted[DIAG_QUOTE_BYTES];
    const char *name = diag_quote(quoted, query->name);

    if (trace->searched == 0) {
        diag_set(diag, "no object that matches %s is loaded when the program starts",
                 diag_quote(quoted, query->object ? query->object : "*"));
        return -ENOENT;
    }
    if (trace->per_thread) {
        diag_set(diag, "%s in %s is thread-local: each thread has one of its own, and a gauge is one number", name,
                 trace->per_thread->base_name);
        return -EINVAL;
    }
    if (trace->searched == 1)
        diag_set(diag, "no variable called %s in %s", name, trace->first->base_name);
    else if (query->object)
        diag_set(diag, "no variable called %s in the %zu objects that match %s", name, trace->searched, query->object);
    else
        diag_set(diag, "no variable called %s in %s or its %zu %s", name, trace->first->base_name, trace->searched - 1,
                 trace->searched == 2 ? "library" : "libraries");
    if (trace->has_function)
        append(diag, "that is a function");
    else if (trace->suggestion.nearest)
        append(diag, "did you mean \"%s\"?", trace->suggestion.nearest);
    if (trace->stripped && (query->object || trace->stripped->is_executable))
        append(diag, "%s is stripped and shows only what it exports: a package with its debug symbols helps",
               trace->stripped->base_name);
    return -ENOENT;
}

/* Bounds ----------------------------------------------------------------------------------------------------------- */

/* Of a variable whose symbol has no size: up to the end of what the object has in memory there. */
static uint64_t room_behind(const struct variable_search *search, const struct variable *variable)
{
    size_t position = 0;
    const struct variable_segment *segment;

    while (position < search->count && search->objects[position] != variable->object)
        position++;
    assert(position < search->count);
    segment = variable_table_segment(&search->tables[position], variable->address);
    return segment ? segment->bytes - (variable->address - segment->address) : 0;
}

static int check_bounds(const struct variable_search *search, const struct variable_query *query,
                        const struct variable *variable, struct diag *diag)
{
    uint64_t offset = query->is_deref ? 0 : query->offset;
    uint64_t bytes = query->is_deref ? POINTER_BYTES : value_type_bytes(query->type);
    uint64_t room = variable->size ? variable->size : room_behind(search, variable);
    char quoted[DIAG_QUOTE_BYTES];

    if (bytes <= room && offset <= room - bytes)
        return 0;
    diag_quote(quoted, query->name);
    if (query->is_deref)
        diag_set(diag, "%s has %" PRIu64 " %s, and a pointer has %" PRIu64, quoted, room, room == 1 ? "byte" : "bytes",
                 bytes);
    else
        diag_set(diag, "%" PRIu64 " %s at offset %" PRIu64 " %s outside of %s, which has %" PRIu64 " %s", bytes,
                 bytes == 1 ? "byte" : "bytes", offset, bytes == 1 ? "lies" : "lie", quoted, room,
                 room == 1 ? "byte" : "bytes");
    return -EINVAL;
}

/* Interface -------------------------------------------------------------------------------------------------------- */

static int find_first(struct variable_search *search, const struct variable_query *query, const struct wanted *wanted,
                      struct variable *variable, struct diag *diag)
{
    struct trace trace = {.suggestion = {.word = wanted->name}};

    for (size_t i = 0; i < search->count; i++) {
        int result = is_meant(query, search->objects[i]) ? find_in(search, i, wanted, variable, diag) : -ENOENT;

        if (result != -ENOENT)
            return result;
    }
    for (size_t i = 0; i < search->count; i++)
        if (is_meant(query, search->objects[i]))
            trace_add(&trace, search, i, wanted);
    return explain_absence(query, &trace, diag);
}

int variable_find(struct variable_search *search, const struct variable_query *query, struct variable *ret_variable,
                  struct diag *diag)
{
    struct wanted wanted = {0};
    struct variable variable = {0};
    int result = wanted_init(&wanted, query->name);

    if (result == 0)
        result = find_first(search, query, &wanted, &variable, diag);
    if (result == -ENOMEM)
        diag_set(diag, "%s", strerror(ENOMEM));
    if (result == 0)
        result = check_bounds(search, query, &variable, diag);
    free(wanted.normalized);
    if (result == 0)
        *ret_variable = variable;
    return result;
}
