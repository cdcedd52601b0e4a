#include "preload/control/imports/imports.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/imports/import_table.h"
#include "preload/control/imports/import_uses.h"
#include "preload/control/imports/slots.h"
#include "preload/control/objects/span.h"
#include "preload/shim.h"

/* A slot that holds the address of a function that is looked for. */
struct candidate {
    uintptr_t *slot;
    struct import *import;
    enum import_use use;
    bool is_of_plt; /* called through and nothing else; of others the code must tell */
};

struct redirection {
    const struct shim *shim;
    struct import *imports;
    size_t count;
    struct import_table *tables; /* of the objects that are asked */
    size_t table_count;
    size_t seen;
    struct candidate *candidates; /* of the object under way */
    size_t candidate_count;
    size_t candidate_capacity;
    struct slots slots;
    int result;
};

static int compare_functions(const void *left, const void *right)
{
    uintptr_t a = ((const struct import *)left)->function;
    uintptr_t b = ((const struct import *)right)->function;

    return (a > b) - (a < b);
}

/* Those that the code must be asked of come first. */
static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;

    return a->is_of_plt != b->is_of_plt ? a->is_of_plt - b->is_of_plt : (a->slot > b->slot) - (a->slot < b->slot);
}

static struct import *import_of(const struct redirection *redirection, uintptr_t function)
{
    struct import key = {.function = function};

    return bsearch(&key, redirection->imports, redirection->count, sizeof(key), compare_functions);
}

/* Objects ---------------------------------------------------------------------------------------------------------- */

static bool is_meant(const struct redirection *redirection, const struct dl_phdr_info *info)
{
    bool is_program = redirection->seen == 1;

    return is_program || (span_is_file(info->dlpi_name, info->dlpi_addr) &&
                          strcmp(info->dlpi_name, redirection->shim->settings.path) != 0 &&
                          info->dlpi_addr != span_debug()->r_ldbase);
}

/* Lists what is to be asked: symbols are looked up later, since that takes another lock of the loader's. */
static int list_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct redirection *redirection = context;
    struct import_table *tables;

    (void)size;
    if (redirection->seen++ >= redirection->shim->settings.objects_before)
        return 1;
    if (!is_meant(redirection, info))
        return 0;
    tables = reallocarray(redirection->tables, redirection->table_count + 1, sizeof(*tables));
    if (!tables)
        return redirection->result = -ENOMEM;
    redirection->tables = tables;
    redirection->table_count += import_table_init(&tables[redirection->table_count], info);
    return 0;
}

/* Slots ------------------------------------------------------------------------------------------------------------ */

static void add_candidate(struct redirection *redirection, const struct candidate *candidate)
{
    if (redirection->candidate_count == redirection->candidate_capacity) {
        size_t capacity = redirection->candidate_capacity ? 2 * redirection->candidate_capacity : 64;
        struct candidate *candidates = reallocarray(redirection->candidates, capacity, sizeof(*candidates));

        if (!candidates) {
            redirection->result = -ENOMEM;
            return;
        }
        redirection->candidates = candidates;
        redirection->candidate_capacity = capacity;
    }
    redirection->candidates[redirection->candidate_count++] = *candidate;
}

static bool is_slot(unsigned long type)
{
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_IRELATIVE;
}

/* `is_of_plt`: the relocation is in the PLT's table, where IRELATIVE ones are calls too. */
static void ask_relocation(struct redirection *redirection, const struct import_table *table,
                           const Elf64_Rela *relocation, bool is_of_plt)
{
    unsigned long type = ELF64_R_TYPE(relocation->r_info);
    struct candidate candidate = {.is_of_plt = is_of_plt || type == R_X86_64_JUMP_SLOT, .use = IMPORT_CALLED};
    uintptr_t value;

    candidate.slot = is_slot(type) ? import_table_slot(table, relocation) : NULL;
    if (!candidate.slot)
        return;
    value = __atomic_load_n(candidate.slot, __ATOMIC_RELAXED);
    candidate.import = import_of(redirection, value);
    if (!candidate.import && type == R_X86_64_JUMP_SLOT && import_table_is_unbound(table, value))
        candidate.import = import_of(redirection, import_table_lookup(table, relocation));
    if (candidate.import)
        add_candidate(redirection, &candidate);
}

static void ask_table(struct redirection *redirection, const struct import_table *table)
{
    redirection->candidate_count = 0;
    for (size_t i = 0; i < table->jump_count; i++)
        ask_relocation(redirection, table, &table->jumps[i], true);
    for (size_t i = 0; i < table->other_count; i++)
        ask_relocation(redirection, table, &table->others[i], false);
}

/* Asks the code about the first `count` candidates. */
static int ask_code(struct candidate *candidates, const struct import_table *table, size_t count)
{
    uintptr_t **slots = calloc(count + 1, sizeof(*slots));
    enum import_use *uses = calloc(count + 1, sizeof(*uses));
    int result = slots && uses ? 0 : -ENOMEM;

    if (result == 0) {
        for (size_t i = 0; i < count; i++)
            slots[i] = candidates[i].slot;
        import_uses_find(table, slots, uses, count);
        for (size_t i = 0; i < count; i++)
            candidates[i].use = uses[i];
    }
    free(slots);
    free(uses);
    return result;
}

static void redirect_slot(const struct slots *slots, const struct import_table *table,
                          const struct candidate *candidate)
{
    struct import *import = candidate->import;

    if (candidate->use == IMPORT_TAKEN) {
        import->taken++;
    } else if (candidate->use == IMPORT_CALLED && slots_write(slots, candidate->slot, (uintptr_t)import->stub) != 0) {
        import->denied++;
    } else if (candidate->use == IMPORT_CALLED && import->last_object != table) {
        import->last_object = table;
        import->objects++;
    }
}

static void redirect_object(struct redirection *redirection, const struct import_table *table)
{
    struct candidate *candidates;
    size_t asked = 0;

    ask_table(redirection, table);
    candidates = redirection->candidates;
    if (redirection->candidate_count == 0)
        return;
    qsort(candidates, redirection->candidate_count, sizeof(*candidates), compare_candidates);
    while (asked < redirection->candidate_count && !candidates[asked].is_of_plt)
        asked++;
    if (ask_code(candidates, table, asked) != 0) {
        redirection->result = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < redirection->candidate_count; i++)
        redirect_slot(&redirection->slots, table, &candidates[i]);
}

/* Interface -------------------------------------------------------------------------------------------------------- */

int imports_redirect(const struct shim *shim, struct import *imports, size_t count)
{
    struct redirection redirection = {.shim = shim, .imports = imports, .count = count};

    redirection.result = slots_init(&redirection.slots);
    if (redirection.result != 0)
        return redirection.result;
    qsort(imports, count, sizeof(*imports), compare_functions);
    dl_iterate_phdr(list_object, &redirection);
    for (size_t i = 0; i < redirection.table_count && redirection.result == 0; i++)
        redirect_object(&redirection, &redirection.tables[i]);
    slots_finish(&redirection.slots);
    free(redirection.tables);
    free(redirection.candidates);
    return redirection.result;
}
