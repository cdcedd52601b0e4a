/* Plans the function `f` of each NAME.in.s, and compares what comes out with NAME.expected.
 *
 *   pairs [-u] DIRECTORY CC [ARGUMENT...]
 *
 * A new case is two new files; -u writes the expected ones. Comment lines of the input say how to plan:
 *
 *   # symbol: NAME       under that name, not `f`
 *   # shadow stack
 *   # unsized            without the symbol's size
 *   # section            with plan_check_branches over all of .text
 *   # distance: NUMBER   of the copy, in bytes; 64 MiB if not said
 *
 * The code lies at 0x401000; `f.cold`, if there is one, is the function's cold part. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "symbols/common/diag.h"
#include "symbols/plan/plan.h"
#include "tests/plan/reason.h"

enum {
    BASE = 0x401000,
    COPY_DISTANCE = 64 << 20,
    INPUT_BYTES_MAX = 16384,
    OUTPUT_BYTES_MAX = 8192,
    CASES_MAX = 512,
    NAME_BYTES_MAX = 256,
};

/* One case: what its input says. */
struct pair {
    char symbol[64];
    bool has_shadow_stack;
    bool is_unsized;
    bool has_section;
    int64_t distance;
    const uint8_t *text;
    size_t text_bytes;
    size_t function; /* offsets in text */
    size_t function_bytes;
    size_t next; /* the next symbol, or the end of the text */
    size_t cold;
    size_t cold_bytes;
};

struct output {
    char text[OUTPUT_BYTES_MAX];
    size_t length;
};

static void __attribute__((format(printf, 2, 3))) print(struct output *output, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    output->length +=
        (size_t)vsnprintf(output->text + output->length, sizeof(output->text) - output->length, format, arguments);
    va_end(arguments);
    if (output->length >= sizeof(output->text))
        output->length = sizeof(output->text) - 1;
}

static size_t read_file(const char *path, char *buffer, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(buffer, 1, size - 1, file) : 0;

    buffer[length] = '\0';
    if (file)
        fclose(file);
    return length;
}

static void read_directives(const char *input, struct pair *pair)
{
    const char *at;

    snprintf(pair->symbol, sizeof(pair->symbol), "f");
    pair->distance = COPY_DISTANCE;
    pair->has_shadow_stack = strstr(input, "# shadow stack\n");
    pair->is_unsized = strstr(input, "# unsized\n");
    pair->has_section = strstr(input, "# section\n");
    at = strstr(input, "# symbol: ");
    if (at)
        snprintf(pair->symbol, sizeof(pair->symbol), "%.*s", (int)strcspn(at + 10, "\n"), at + 10);
    at = strstr(input, "# distance: ");
    if (at)
        pair->distance = strtoll(at + 12, NULL, 0);
}

static void read_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, struct pair *pair)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Sym symbol;

    pair->next = pair->text_bytes;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
            const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);

            if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
                continue;
            if (strcmp(name, "f") == 0) {
                pair->function = symbol.st_value;
                pair->function_bytes = symbol.st_size;
            } else if (strcmp(name, "f.cold") == 0) {
                pair->cold = symbol.st_value;
                pair->cold_bytes = symbol.st_size;
            }
            if (pass == 1 && symbol.st_value > pair->function && symbol.st_value < pair->next)
                pair->next = symbol.st_value;
        }
    }
}

static void read_object(Elf *elf, struct pair *pair)
{
    Elf_Scn *section = NULL;
    size_t names;

    elf_getshdrstrndx(elf, &names);
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;

        gelf_getshdr(section, &header);
        if (strcmp(elf_strptr(elf, names, header.sh_name), ".text") == 0) {
            Elf_Data *data = elf_getdata(section, NULL);

            pair->text = data->d_buf;
            pair->text_bytes = data->d_size;
        } else if (header.sh_type == SHT_SYMTAB) {
            read_symbols(elf, section, &header, pair); /* it comes after .text */
        }
    }
}

static void print_code(struct output *output, const struct patch_plan *plan, const struct plan_relocated *copy,
                       uint64_t address)
{
    ZydisDecoder decoder;
    ZydisFormatter formatter;
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    size_t last = copy->offsets[plan->instruction_count - 1];
    bool has_ended = false;
    char text[128];

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
    for (size_t at = 0; at < copy->code_bytes; at += instruction.length) {
        if (has_ended && at > last && copy->code_bytes - at == sizeof(uint64_t)) {
            uint64_t literal;

            memcpy(&literal, copy->code + at, sizeof(literal));
            print(output, "%" PRIx64 "  quad 0x%" PRIx64 "\n", address + at, literal);
            return;
        }
        if (ZYAN_FAILED(
                ZydisDecoderDecodeFull(&decoder, copy->code + at, copy->code_bytes - at, &instruction, operands))) {
            print(output, "%" PRIx64 "  ???\n", address + at);
            return;
        }
        ZydisFormatterFormatInstruction(&formatter, &instruction, operands, instruction.operand_count_visible, text,
                                        sizeof(text), address + at, ZYAN_NULL);
        print(output, "%" PRIx64 "  %s\n", address + at, text);
        has_ended = instruction.mnemonic == ZYDIS_MNEMONIC_JMP;
    }
}

static void print_plan(struct output *output, const struct pair *pair, const struct patch_plan *plan)
{
    static const char *const modes[] = {"refused", "count", "full"};
    uint64_t address = plan->address + (uint64_t)pair->distance;
    struct plan_relocated copy;
    struct diag diag = {""};

    print(output, "%s", modes[plan->mode]);
    print(output, plan->reason == PLAN_REASON_NONE ? "\n" : ": %s\n", reason_names[plan->reason]);
    if (plan->mode == PLAN_REFUSED)
        return;
    print(output, "window +%u, %u bytes, %u instructions\n", plan->skip_bytes, plan->window_bytes,
          plan->instruction_count);
    if (plan_relocate(plan, address, &copy, &diag) == 0)
        print_code(output, plan, &copy, address);
    else
        print(output, "%s\n", diag.text);
}

static void plan_pair(struct output *output, const struct pair *pair)
{
    size_t end = pair->function + pair->function_bytes;
    struct plan_request request = {
        .symbol = pair->symbol,
        .code = pair->text + pair->function,
        .code_bytes = (end > pair->next ? end : pair->next) - pair->function,
        .next_symbol = pair->next - pair->function,
        .function_bytes = pair->is_unsized ? 0 : pair->function_bytes,
        .address = BASE + pair->function,
        .has_shadow_stack = pair->has_shadow_stack,
    };
    struct patch_plan plan;
    struct patch_plan *plans[] = {&plan};

    if (pair->cold_bytes) {
        request.cold = pair->text + pair->cold;
        request.cold_bytes = pair->cold_bytes;
        request.cold_address = BASE + pair->cold;
    }
    plan_function(&request, &plan);
    if (pair->has_section)
        plan_check_branches(plans, 1, pair->text, pair->text_bytes, BASE, false);
    print_plan(output, pair, &plan);
}

static bool run_pair(const char *directory, const char *objects, const char *name, bool does_update)
{
    char path[PATH_MAX];
    char input[INPUT_BYTES_MAX];
    char expected[OUTPUT_BYTES_MAX];
    struct output output = {.length = 0};
    struct pair pair = {.symbol = ""};
    int descriptor;
    Elf *elf;

    snprintf(path, sizeof(path), "%s/%s.in.s", directory, name);
    read_file(path, input, sizeof(input));
    read_directives(input, &pair);
    snprintf(path, sizeof(path), "%s/%s.in.o", objects, name);
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    elf = descriptor < 0 ? NULL : elf_begin(descriptor, ELF_C_READ, NULL);
    if (elf) {
        read_object(elf, &pair);
        plan_pair(&output, &pair);
    }
    elf_end(elf);
    close(descriptor);
    snprintf(path, sizeof(path), "%s/%s.expected", directory, name);
    if (does_update) {
        FILE *file = fopen(path, "we");

        return file && fputs(output.text, file) >= 0 && fclose(file) == 0;
    }
    read_file(path, expected, sizeof(expected));
    if (elf && strcmp(expected, output.text) == 0)
        return true;
    printf("not ok: %s\n--- expected\n%s--- got\n%s\n", name, expected, output.text);
    return false;
}

/* One run of the compiler for all inputs: the objects go to its working directory. `compiler` ends with NULL; it may be
 * ccache and the compiler. */
static bool assemble(char *const *compiler, const char *directory, const char *objects, char (*names)[NAME_BYTES_MAX],
                     size_t count)
{
    char **arguments;
    size_t words = 0;
    int status = -1;
    pid_t child;

    while (compiler[words])
        words++;
    arguments = calloc(words + count + 2, sizeof(char *));
    if (!arguments)
        return false;
    memcpy(arguments, compiler, words * sizeof(char *));
    arguments[words++] = (char *)"-c";
    for (size_t i = 0; i < count; i++)
        if (asprintf(&arguments[words + i], "%s/%s.in.s", directory, names[i]) < 0)
            return false;
    child = fork();
    if (child == 0) {
        if (chdir(objects) == 0)
            execvp(compiler[0], arguments);
        _exit(127);
    }
    waitpid(child, &status, 0);
    for (size_t i = 0; i < count; i++)
        free(arguments[words + i]);
    free(arguments);
    return status == 0;
}

static size_t list_pairs(const char *directory, char (*names)[NAME_BYTES_MAX])
{
    struct dirent **entries;
    int found = scandir(directory, &entries, NULL, alphasort);
    size_t count = 0;

    for (int i = 0; i < found; i++) {
        const char *suffix = strstr(entries[i]->d_name, ".in.s");

        if (suffix && count < CASES_MAX)
            snprintf(names[count++], NAME_BYTES_MAX, "%.*s", (int)(suffix - entries[i]->d_name), entries[i]->d_name);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    return count;
}

static void remove_objects(const char *objects, char (*names)[NAME_BYTES_MAX], size_t count)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s.in.o", objects, names[i]);
        unlink(path);
    }
    rmdir(objects);
}

int main(int argc, char **argv)
{
    static char names[CASES_MAX][NAME_BYTES_MAX];
    char objects[] = "/tmp/callmeter-pairs-XXXXXX";
    bool does_update = argc > 1 && strcmp(argv[1], "-u") == 0;
    char **words = argv + (does_update ? 2 : 1);
    char *directory = words - argv + 1 < argc ? realpath(words[0], NULL) : NULL;
    size_t failures = 0;
    size_t count;

    if (!directory || !mkdtemp(objects)) {
        fprintf(stderr, "usage: pairs [-u] DIRECTORY CC [ARGUMENT...]\n");
        return 2;
    }
    elf_version(EV_CURRENT);
    count = list_pairs(directory, names);
    if (count == 0 || !assemble(words + 1, directory, objects, names, count)) {
        fprintf(stderr, "pairs: nothing to run, or it cannot be assembled\n");
        failures = 1;
    }
    for (size_t i = 0; i < count; i++)
        failures += !run_pair(directory, objects, names[i], does_update);
    printf("%zu pairs, %zu failed\n", count, failures);
    remove_objects(objects, names, count);
    free(directory);
    return failures ? 1 : 0;
}
