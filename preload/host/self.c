#include "preload/host/self.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "preload/host/allocator.h"
#include "preload/machine/quiet.h"
#include "preload/machine/x86_64/cpu.h"

/* This object's own, by the linker, as is _DYNAMIC. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

struct program {
    const struct dl_phdr_info *info;
    uintptr_t address;
    bool holds;
};

static int program_look(struct dl_phdr_info *info, size_t size, void *context)
{
    struct program *program = context;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && program->address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
            program->holds = true;
    }
    return 1; /* the program comes first, and the rest is not asked for */
}

static bool is_in_program(uintptr_t address)
{
    struct program program = {.address = address};

    dl_iterate_phdr(program_look, &program);
    return program.holds;
}

static uintptr_t own_dynamic(Elf64_Sxword tag)
{
    for (const Elf64_Dyn *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return entry->d_un.d_ptr;
    return 0;
}

static const char *captured_in(const Elf64_Rela *table, size_t bytes)
{
    const Elf64_Sym *symbols = (const Elf64_Sym *)own_dynamic(DT_SYMTAB);
    const char *strings = (const char *)own_dynamic(DT_STRTAB);

    for (size_t i = 0; table && i < bytes / sizeof(*table); i++) {
        const Elf64_Sym *symbol = &symbols[ELF64_R_SYM(table[i].r_info)];
        unsigned type = (unsigned)ELF64_R_TYPE(table[i].r_info);
        uintptr_t provider = *(const uintptr_t *)((uintptr_t)&__ehdr_start + table[i].r_offset);

        if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || symbol->st_shndx != SHN_UNDEF ||
            ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT || ELF64_ST_BIND(symbol->st_info) == STB_WEAK)
            continue;
        if (is_in_program(provider) && !allocator_has(strings + symbol->st_name))
            return strings + symbol->st_name;
    }
    return NULL;
}

const char *self_captured_name(void)
{
    const char *name = captured_in((const Elf64_Rela *)own_dynamic(DT_JMPREL), own_dynamic(DT_PLTRELSZ));

    return name ? name : captured_in((const Elf64_Rela *)own_dynamic(DT_RELA), own_dynamic(DT_RELASZ));
}

const char *self_environment(const char *name)
{
    for (char **variable = environ; variable && *variable; variable++) {
        const char *at = *variable;
        const char *wanted = name;

        while (*wanted && *at == *wanted) {
            at++;
            wanted++;
        }
        if (*wanted == '\0' && *at == '=')
            return at + 1;
    }
    return NULL;
}

static void write_text(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    quiet_put(STDERR_FILENO, text, length);
}

/* "callmeter[PID]: warn: ". */
static void write_prefix(void)
{
    char number[24];
    char *at = number + sizeof(number) - 1;
    int pid = cpu_own_pid();

    *at = '\0';
    do
        *--at = (char)('0' + pid % 10);
    while ((pid /= 10) > 0);
    write_text("callmeter[");
    write_text(at);
    write_text("]: warn: ");
}

/* What CALLMETER_LOG says, as log_init takes it: only these two are less. */
static bool is_silent(void)
{
    const char *level = self_environment("CALLMETER_LOG");

    return level && ((level[0] == 'o' && level[1] == 'f' && level[2] == 'f' && level[3] == '\0') ||
                     (level[0] == 'e' && level[1] == 'r' && level[2] == 'r'));
}

void self_warn(const char *text, const char *detail)
{
    if (is_silent())
        return;
    write_prefix();
    write_text(text);
    write_text(detail);
    write_text("\n");
}
