/* The planner on whole objects: what the data and the jumps of an object say of its functions. The object's functions
 * are named after what is expected of them (objects/jumps.S). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/plan/plan.h"
#include "tests/plan/reason.h"

enum {
    FUNCTIONS_MAX = 128,
};

/* One object, and the plans of those functions that are asked for. */
struct planned {
    struct object *object;
    struct patch_plan plans[FUNCTIONS_MAX];
    const struct symbol *symbols[FUNCTIONS_MAX];
    size_t count;
};

static const char *folder;

static bool is_asked(const struct symbol *symbol)
{
    return strstr(symbol->name, "__") && strncmp(symbol->name, "aux__", 5) != 0;
}

static void plan_one(struct planned *planned, const struct symbol *symbol)
{
    const struct object *object = planned->object;
    struct plan_request request = {.symbol = symbol->name,
                                   .function_bytes = symbol->size,
                                   .next_symbol = object_room(object, symbol->address),
                                   .address = symbol->address + object->load_bias};
    size_t available;

    assert_true(planned->count < FUNCTIONS_MAX);
    assert_int_equal(object_plan(object, &request.object), 0);
    request.code = object_code(object, symbol->address, &available);
    request.code_bytes = request.next_symbol > symbol->size ? request.next_symbol : symbol->size;
    planned->symbols[planned->count] = symbol;
    plan_function(&request, &planned->plans[planned->count++]);
}

static void check_all(struct planned *planned)
{
    struct patch_plan *plans[FUNCTIONS_MAX];
    const struct plan_object *known;
    const uint8_t *code;
    uint64_t address;
    size_t bytes;

    for (size_t i = 0; i < planned->count; i++)
        plans[i] = &planned->plans[i];
    assert_int_equal(object_plan(planned->object, &known), 0);
    for (size_t n = 0; (code = object_section(planned->object, n, &address, &bytes)); n++)
        plan_check_branches(plans, planned->count, code, bytes, address + planned->object->load_bias, known->is_fixed);
    plan_check_pointers(plans, planned->count, known);
}

/* "table_to_entry__switch" of "table to entry". */
static bool is_expected(const char *symbol, const char *reason)
{
    for (; *reason; symbol++, reason++)
        if (*symbol != *reason && !(*symbol == '_' && (*reason == ' ' || *reason == '-')))
            return false;
    return strncmp(symbol, "__", 2) == 0;
}

static void hold_to_names(const char *name, uint64_t load_bias, bool is_backwards)
{
    struct planned planned = {.count = 0};
    struct diag diag = {""};
    char path[4096];
    size_t wrong = 0;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(object_open(path, load_bias, false, &planned.object, &diag), 0);
    for (size_t i = 0; i < planned.object->symbol_count; i++) {
        size_t n = is_backwards ? planned.object->symbol_count - 1 - i : i;

        if (is_asked(&planned.object->symbols[n]))
            plan_one(&planned, &planned.object->symbols[n]);
    }
    assert_true(planned.count > 40);
    check_all(&planned);
    for (size_t i = 0; i < planned.count; i++) {
        const char *found = reason_names[planned.plans[i].reason];

        if (is_expected(planned.symbols[i]->name, found))
            continue;
        print_error("%s: %s: %s\n", name, planned.symbols[i]->name, found);
        wrong++;
    }
    object_close(planned.object);
    assert_int_equal(wrong, 0);
}

static void test_library(void **state)
{
    (void)state;
    hold_to_names("libjumps.so", 0, false);
    hold_to_names("libjumps.so", 0x7f0000000000, false);
}

/* What is known of one function must not depend on which was asked for first. */
static void test_backwards(void **state)
{
    (void)state;
    hold_to_names("libjumps.so", 0x7f0000000000, true);
}

static void test_packed(void **state)
{
    (void)state;
    hold_to_names("libjumps-packed.so", 0, false);
}

static void test_fixed(void **state)
{
    (void)state;
    hold_to_names("jumps-fixed", 0, false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_backwards),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_fixed),
    };

    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
