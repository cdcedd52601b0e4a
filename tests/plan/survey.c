/* Plans every exported function of real objects, and shows what could not be tracked and why.
 *
 *   survey [-a] [-t PERCENT] [-v] OBJECT...
 *
 * Each plan that is not refused is also written for an address 64 MiB further, and the copy is compared with the
 * original, operand by operand. The exit status is 1 if a copy is wrong, or if less than PERCENT (98) of an object's
 * functions could be timed. -v names those that cannot;
 * -a takes local functions too, where a symbol table or debug file names them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/plan/plan.h"
#include "tests/plan/reason.h"

enum {
    COPY_DISTANCE = 64 << 20,
};

struct survey {
    const struct object *object;
    struct patch_plan *plans; /* one for each address */
    const struct symbol **symbols;
    size_t count;
    uint64_t bytes; /* of code planned */
    double seconds;
    bool is_verbose;
    bool has_locals;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool is_fragment(const char *name)
{
    const char *cold = strstr(name, ".cold");

    return cold && (cold[5] == '\0' || cold[5] == '.');
}

static void plan_one(struct survey *survey, const struct symbol *symbol)
{
    size_t room = object_room(survey->object, symbol->address);
    size_t available = 0;
    struct plan_request request = {.symbol = symbol->name, .address = symbol->address};

    request.code = object_code(survey->object, symbol->address, &available);
    if (!request.code)
        return;
    request.function_bytes = symbol->size < available ? symbol->size : available;
    request.code_bytes = request.function_bytes > room ? request.function_bytes : room;
    request.next_symbol = room;
    if (object_plan(survey->object, &request.object) < 0)
        return;
    plan_function(&request, &survey->plans[survey->count]);
    survey->bytes += request.function_bytes;
    survey->symbols[survey->count++] = symbol;
}

/* The operands of both, with addresses in place of displacements. Only the shapes that are copied as they are. */
static bool is_same(const struct patch_plan *plan, size_t index, const struct plan_relocated *copy,
                    const ZydisDecoder *decoder)
{
    ZydisDecodedInstruction before, after;
    ZydisDecodedOperand operands_before[ZYDIS_MAX_OPERAND_COUNT], operands_after[ZYDIS_MAX_OPERAND_COUNT];
    size_t offset = plan->instructions[index].offset;
    uint64_t address_before = plan->address + offset;
    uint64_t address_after = plan->address + COPY_DISTANCE + copy->offsets[index];

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, plan->original + offset, plan->instructions[index].length, &before,
                                           operands_before)) ||
        ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, copy->code + copy->offsets[index],
                                           copy->code_bytes - copy->offsets[index], &after, operands_after)))
        return false;
    if (before.meta.category == ZYDIS_CATEGORY_CALL)
        return after.mnemonic == ZYDIS_MNEMONIC_PUSH;
    if (before.mnemonic != after.mnemonic || before.operand_count != after.operand_count)
        return false;
    for (size_t i = 0; i < before.operand_count; i++) {
        uint64_t first, second;
        bool is_absolute = ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&before, &operands_before[i], address_before, &first));

        if (!is_absolute && operands_before[i].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
            continue;
        if (!is_absolute || ZYAN_FAILED(ZydisCalcAbsoluteAddress(&after, &operands_after[i], address_after, &second)))
            continue;
        if (operands_before[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && first - plan->address < plan->window_bytes)
            continue; /* a jump inside the window */
        if (first != second && !(before.raw.imm[0].is_relative && copy->code[copy->offsets[index] + 1] == 2))
            return false;
    }
    return true;
}

static bool copy_is_right(const struct survey *survey, size_t index)
{
    const struct patch_plan *plan = &survey->plans[index];
    struct plan_relocated copy;
    struct diag diag = {""};
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (plan_relocate(plan, plan->address + COPY_DISTANCE, &copy, &diag) < 0) {
        printf("  %s: cannot be moved: %s\n", survey->symbols[index]->name, diag.text);
        return false;
    }
    for (size_t i = 0; i < plan->instruction_count; i++) {
        if (is_same(plan, i, &copy, &decoder))
            continue;
        printf("  %s: instruction %zu of the copy differs\n", survey->symbols[index]->name, i);
        return false;
    }
    return true;
}

static void check_branches(struct survey *survey)
{
    struct patch_plan **plans = calloc(survey->count, sizeof(struct patch_plan *));
    const struct plan_object *known;
    const uint8_t *code;
    uint64_t address;
    size_t bytes;
    size_t total = 0;
    double start = now();

    for (size_t i = 0; plans && i < survey->count; i++)
        plans[i] = &survey->plans[i];
    if (!plans || object_plan(survey->object, &known) < 0)
        return;
    for (size_t n = 0; (code = object_section(survey->object, n, &address, &bytes)); n++) {
        plan_check_branches(plans, survey->count, code, bytes, address, known->is_fixed);
        total += bytes;
    }
    printf("  %zu KiB searched for branches in %.1f ms\n", total / 1024, (now() - start) * 1e3);
    start = now();
    plan_check_pointers(plans, survey->count, known);
    printf("  %zu pointers checked in %.1f ms\n", known->pointer_count, (now() - start) * 1e3);
    free(plans);
}

/* Percentage of the functions that can be timed, or -1 if a copy is wrong. */
static double report(const struct survey *survey)
{
    size_t counts[PLAN_REASON_COUNT_] = {0};
    size_t partial = 0;
    bool is_right = true;

    for (size_t i = 0; i < survey->count; i++) {
        const struct patch_plan *plan = &survey->plans[i];

        counts[plan->reason]++;
        if (survey->is_verbose && plan->mode != PLAN_FULL)
            printf("  %-7s %-16s %" PRIx64 " %s\n", plan->mode == PLAN_COUNT ? "count" : "refused",
                   reason_names[plan->reason], survey->symbols[i]->address, survey->symbols[i]->name);
        if (plan->mode != PLAN_REFUSED && !copy_is_right(survey, i))
            is_right = false;
        partial += plan->body_callers != 0;
        if (survey->is_verbose && plan->body_callers)
            printf("  partial %u callers of its body at %" PRIx64 " %" PRIx64 " %s\n", plan->body_callers, plan->body,
                   survey->symbols[i]->address, survey->symbols[i]->name);
    }
    printf("  %6zu %6.2f %%  partial\n", partial, 100.0 * (double)partial / (double)survey->count);
    for (size_t i = 0; i < PLAN_REASON_COUNT_; i++)
        if (counts[i])
            printf("  %6zu %6.2f %%  %s\n", counts[i], 100.0 * (double)counts[i] / (double)survey->count,
                   reason_names[i]);
    return is_right ? 100.0 * (double)counts[PLAN_REASON_NONE] / (double)survey->count : -1;
}

static bool is_wanted(const struct survey *survey, const struct symbol *symbol)
{
    if (is_fragment(symbol->name) || (symbol->is_local && !survey->has_locals))
        return false;
    return survey->count == 0 || survey->symbols[survey->count - 1]->address != symbol->address;
}

static double survey_object(const char *path, bool has_locals, bool is_verbose)
{
    struct object *object = NULL;
    struct diag diag = {""};
    struct survey survey = {.has_locals = has_locals, .is_verbose = is_verbose};
    double share = -1;
    double start;

    if (object_open(path, 0, false, &object, &diag) < 0) {
        fprintf(stderr, "survey: %s: %s\n", path, diag.text);
        return -1;
    }
    survey.object = object;
    survey.plans = calloc(object->symbol_count + 1, sizeof(*survey.plans));
    survey.symbols = calloc(object->symbol_count + 1, sizeof(*survey.symbols));
    start = now();
    for (size_t i = 0; survey.plans && survey.symbols && i < object->symbol_count; i++) {
        const struct symbol *symbol = &object->symbols[i];

        if (is_wanted(&survey, symbol))
            plan_one(&survey, symbol);
    }
    survey.seconds = now() - start;
    if (survey.count) {
        printf("%s: %zu functions of %" PRIu64 " bytes on average, planned in %.1f ms\n", path, survey.count,
               survey.bytes / survey.count, survey.seconds * 1e3);
        check_branches(&survey);
        share = report(&survey);
    }
    free(survey.plans);
    free(survey.symbols);
    object_close(object);
    return share;
}

int main(int argc, char **argv)
{
    double threshold = 98;
    bool is_verbose = false;
    bool has_locals = false;
    int status = 0;
    int option;

    while ((option = getopt(argc, argv, "at:v")) != -1) {
        if (option == 't')
            threshold = strtod(optarg, NULL);
        else if (option == 'v')
            is_verbose = true;
        else if (option == 'a')
            has_locals = true;
        else
            return 2;
    }
    for (int i = optind; i < argc; i++)
        if (survey_object(argv[i], has_locals, is_verbose) < threshold)
            status = 1;
    return status;
}
