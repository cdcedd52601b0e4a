#include "symbols/elf/variable_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/elf/object.h"

static int read_segments(struct variable_table *table)
{
    size_t count = 0;

    if (elf_getphdrnum(table->image.elf, &count) < 0 || count > UINT16_MAX)
        return 0;
    table->segments = calloc(count + 1, sizeof(*table->segments));
    if (!table->segments)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;

        if (gelf_getphdr(table->image.elf, (int)i, &header) && header.p_type == PT_LOAD &&
            header.p_memsz <= UINT64_MAX - header.p_vaddr)
            table->segments[table->segment_count++] = (struct variable_segment){
                .address = header.p_vaddr, .bytes = header.p_memsz, .is_executable = header.p_flags & PF_X};
    }
    return 0;
}

const struct variable_segment *variable_table_segment(const struct variable_table *table, uint64_t address)
{
    for (size_t i = 0; i < table->segment_count; i++)
        if (address - table->segments[i].address < table->segments[i].bytes)
            return &table->segments[i];
    return NULL;
}

/* A symtab_filter: keeps what lies in memory; in code only what says that it is a variable. */
static bool keeps_variable(const struct symbol *symbol, bool is_untyped, void *context)
{
    const struct variable_segment *segment = variable_table_segment(context, symbol->address);

    return segment && !(is_untyped && segment->is_executable);
}

/* The addresses of thread-local ones are offsets. */
static bool keeps_all(const struct symbol *symbol, bool is_untyped, void *context)
{
    (void)symbol;
    (void)is_untyped;
    (void)context;
    return true;
}

/* True if the object was linked by -Bsymbolic. */
static bool is_symbolic(const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_type(image, SHT_DYNAMIC, &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    GElf_Dyn entry;

    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++)
        if (entry.d_tag == DT_SYMBOLIC || (entry.d_tag == DT_FLAGS && entry.d_un.d_val & DF_SYMBOLIC))
            return true;
    return false;
}

int variable_table_symbols(struct variable_table *table, const struct object *object, struct symtab *symtab)
{
    symtab_filter filter = symtab->types == SYMTAB_VARIABLES ? keeps_variable : keeps_all;
    bool has_symtab = false;
    int result = symtab_read(symtab, &table->image, SHT_DYNSYM, filter, table, NULL);

    if (result == 0)
        result = symtab_read(symtab, &table->image, SHT_SYMTAB, filter, table, &has_symtab);
    if (result == 0 && !has_symtab && !table->debug.elf)
        image_init_debug(&table->debug, &table->image, object->path, object->build_id);
    if (result == 0 && table->debug.elf)
        result = symtab_read(symtab, &table->debug, SHT_SYMTAB, filter, table, NULL);
    symtab_sort(symtab);
    return result;
}

int variable_table_read(struct variable_table *table, const struct object *object)
{
    struct diag ignored = {0};
    int result;

    if (table->is_read)
        return 0;
    table->is_read = true;
    result = image_init(&table->image, object->path, &ignored);
    if (result < 0)
        return result == -ENOMEM ? result : 0;
    table->variables.types = SYMTAB_VARIABLES;
    table->exported.types = SYMTAB_VARIABLES;
    table->is_symbolic = is_symbolic(&table->image);
    result = read_segments(table);
    if (result == 0)
        result = variable_table_symbols(table, object, &table->variables);
    if (result == 0)
        result = symtab_read(&table->exported, &table->image, SHT_DYNSYM, keeps_variable, table, NULL);
    return result;
}

void variable_table_finish(struct variable_table *table)
{
    symtab_finish(&table->variables);
    symtab_finish(&table->exported);
    free(table->segments);
    image_finish(&table->debug);
    image_finish(&table->image);
}

const struct symbol *variable_table_exported(const struct variable_table *table, const char *name)
{
    for (size_t i = 0; i < table->exported.count; i++)
        if (strcmp(table->exported.symbols[i].name, name) == 0)
            return &table->exported.symbols[i];
    return NULL;
}
