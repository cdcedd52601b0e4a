/* What code does with an import slot: each piece of uses.S is looked at as if it were all the code of an object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "preload/control/imports/import_table.h"
#include "preload/control/imports/import_uses.h"

/* uses.S */
struct piece {
    const char *name;
    const uint8_t *begin;
    const uint8_t *end;
    uint64_t use;
};
extern const struct piece uses[], uses_end[];
extern uintptr_t uses_slot, uses_other_slot;
extern const uint8_t uses_code[], uses_code_end[], uses_start[];

static enum import_use use_of(const uint8_t *begin, const uint8_t *end)
{
    const Elf64_Phdr segment = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = (size_t)(end - begin)};
    const int32_t starts[] = {(int32_t)(uses_start - begin), 0};
    const struct import_table table = {
        .load_bias = (uintptr_t)begin,
        .segments = &segment,
        .segment_count = 1,
        .starts = starts,
        .start_count = 1,
        .eh_frame_hdr = (uintptr_t)begin,
    };
    uintptr_t *const slots[] = {&uses_slot};
    enum import_use use;

    import_uses_find(&table, slots, &use, 1);
    return use;
}

static void each_piece_is_seen_for_what_it_is(void **state)
{
    size_t wrong = 0;

    (void)state;
    assert_true(uses_end - uses > 20);
    for (const struct piece *piece = uses; piece < uses_end; piece++) {
        enum import_use use = use_of(piece->begin, piece->end);

        if (use == piece->use)
            continue;
        printf("%s: expected %u, found %u\n", piece->name, (unsigned)piece->use, use);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void each_of_two_slots_has_its_own_uses(void **state)
{
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = (size_t)(uses_code_end - uses_code)};
    const struct import_table table = {.load_bias = (uintptr_t)uses_code, .segments = &segment, .segment_count = 1};
    uintptr_t *const slots[] = {&uses_slot, &uses_other_slot};
    enum import_use found[2];

    (void)state;
    import_uses_find(&table, slots, found, 2);
    assert_int_equal(found[0], IMPORT_TAKEN);
    assert_int_equal(found[1], IMPORT_CALLED);
}

static void code_that_is_not_executable_is_not_looked_at(void **state)
{
    const Elf64_Phdr segment = {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = (size_t)(uses_code_end - uses_code)};
    const struct import_table table = {.load_bias = (uintptr_t)uses_code, .segments = &segment, .segment_count = 1};
    uintptr_t *const slots[] = {&uses_slot};
    enum import_use use;

    (void)state;
    import_uses_find(&table, slots, &use, 1);
    assert_int_equal(use, IMPORT_UNUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_is_seen_for_what_it_is),
        cmocka_unit_test(each_of_two_slots_has_its_own_uses),
        cmocka_unit_test(code_that_is_not_executable_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
