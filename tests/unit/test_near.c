/* Memory within reach of an object's code: where it is looked for, and that it never takes the place of what is there,
 * even where /proc lies or tells nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/control/patching/near.h"
#include "preload/shim.h"

#define PAGE  ((uintptr_t)4096)
#define GUARD ((uintptr_t)0x10000)
#define GIB   ((uintptr_t)1 << 30)
#define REACH ((uintptr_t)0x7ff00000)
#define LOW   ((uintptr_t)0x200000000000) /* an object far from all that is mapped */
#define HIGH  (LOW + 0x100000)

static const char *maps; /* what /proc/self/maps says; NULL: it is not there */

FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    assert_string_equal(path, "/proc/self/maps");
    assert_string_equal(mode, "re");
    if (maps)
        return fmemopen((char *)(uintptr_t)maps, strlen(maps), "r");
    errno = EACCES;
    return NULL;
}

/* Lines for these ranges, which end with 0. */
static const char *maps_of(const uintptr_t *ranges)
{
    static char text[1024];

    snprintf(text, sizeof(text), "10000-20000 r--p 00000000 00:00 0\n");
    for (; *ranges; ranges += 2)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%jx-%jx r-xp 00000000 00:00 0 /a b\n",
                 (uintmax_t)ranges[0], (uintmax_t)ranges[1]);
    return text;
}

/* Where there is room for so many bytes; 0: nowhere. */
static uintptr_t mapped_at(size_t bytes)
{
    uint8_t *memory = NULL;
    int result = near_map(LOW, HIGH, bytes, &memory);

    if (result != 0) {
        assert_int_equal(result, -ENOMEM);
        assert_null(memory);
        return 0;
    }
    memory[0] = memory[bytes - 1] = 1;
    assert_true(near_reaches((uintptr_t)memory, bytes, LOW, HIGH));
    assert_int_equal(munmap(memory, (bytes + PAGE - 1) & ~(PAGE - 1)), 0);
    return (uintptr_t)memory;
}

static void test_below(void **state)
{
    (void)state;
    /* Right below, with a guard. */
    maps = maps_of((uintptr_t[]){LOW, HIGH, 0});
    assert_int_equal(mapped_at(PAGE), LOW - GUARD - PAGE);
    assert_int_equal(mapped_at(3 * PAGE - 1), LOW - GUARD - 3 * PAGE);
    /* In the nearest gap that is large enough, with a guard at its beginning too. */
    maps = maps_of((uintptr_t[]){LOW - GIB, LOW - GIB / 2, LOW - GIB / 2 + 2 * GUARD + PAGE, HIGH, 0});
    assert_int_equal(mapped_at(PAGE), LOW - GIB / 2 + GUARD);
    assert_int_equal(mapped_at(PAGE + 1), LOW - GIB - GUARD - 2 * PAGE);
    maps = maps_of((uintptr_t[]){LOW - GIB, LOW - GIB / 2, LOW - GIB / 2 + 2 * GUARD, HIGH, 0});
    assert_int_equal(mapped_at(PAGE), LOW - GIB - GUARD - PAGE);
}

/* brk's heap may grow there: far above. */
static void test_above(void **state)
{
    (void)state;
    maps = maps_of((uintptr_t[]){LOW - 3 * GIB, HIGH, 0});
    assert_int_equal(mapped_at(PAGE), HIGH + GIB);
    maps = maps_of((uintptr_t[]){LOW - 3 * GIB, HIGH, HIGH + GIB + 2 * PAGE, HIGH + GIB + GIB / 2, 0});
    assert_int_equal(mapped_at(PAGE), HIGH + GIB + GIB / 2 + GUARD);
    maps = maps_of((uintptr_t[]){LOW - 3 * GIB, HIGH, HIGH + GIB + GIB / 4, HIGH + GIB + GIB / 2, 0});
    assert_int_equal(mapped_at(PAGE), HIGH + GIB);
    maps = maps_of((uintptr_t[]){LOW - 3 * GIB, LOW + REACH - PAGE, 0});
    assert_int_equal(mapped_at(PAGE), 0);
    maps = maps_of((uintptr_t[]){LOW - 3 * GIB, LOW + 3 * GIB, 0});
    assert_int_equal(mapped_at(PAGE), 0);
    /* Within reach of the other end of the object. */
    maps = maps_of((uintptr_t[]){HIGH - REACH + GUARD, LOW + 3 * GIB, 0});
    assert_int_equal(mapped_at(PAGE), 0);
    maps = maps_of((uintptr_t[]){HIGH - REACH + GUARD + PAGE, LOW + 3 * GIB, 0});
    assert_int_equal(mapped_at(PAGE), HIGH - REACH);
}

/* Something has come there since /proc was read. */
static void test_taken(void **state)
{
    char *below = mmap((void *)(LOW - GUARD - PAGE), PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    char *above = mmap((void *)(HIGH + GIB), PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    (void)state;
    assert_int_equal((uintptr_t)below, LOW - GUARD - PAGE);
    assert_int_equal((uintptr_t)above, HIGH + GIB);
    *below = *above = 'x';
    maps = maps_of((uintptr_t[]){LOW, HIGH, 0});
    assert_int_equal(mapped_at(PAGE), 0);
    assert_true(*below == 'x' && *above == 'x');
    assert_int_equal(munmap(above, PAGE), 0);
    assert_int_equal(mapped_at(PAGE), HIGH + GIB);
    assert_int_equal(*below, 'x');
    assert_int_equal(munmap(below, PAGE), 0);
}

/* Without /proc each place is tried, below and above in turn, and what is there stays. */
static void test_trial(void **state)
{
    uintptr_t step = 0x100000;
    char *below;

    (void)state;
    maps = NULL;
    assert_int_equal(mapped_at(PAGE), LOW - step);
    below = mmap((void *)(LOW - step), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                 -1, 0);
    assert_int_equal((uintptr_t)below, LOW - step);
    *below = 'x';
    assert_int_equal(mapped_at(PAGE), HIGH + GIB + step);
    assert_int_equal(*below, 'x');
    assert_int_equal(munmap(below, PAGE), 0);
    below = mmap((void *)(LOW - 3 * GIB), 3 * GIB, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    assert_int_equal((uintptr_t)below, LOW - 3 * GIB);
    assert_int_equal(mapped_at(PAGE), HIGH + GIB + step);
    assert_int_equal(munmap(below, 3 * GIB), 0);
    below = mmap((void *)(LOW - 3 * GIB), 6 * GIB, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    assert_int_equal((uintptr_t)below, LOW - 3 * GIB);
    assert_int_equal(mapped_at(PAGE), 0);
    assert_int_equal(munmap(below, 6 * GIB), 0);
}

static void test_reach(void **state)
{
    (void)state;
    assert_true(near_reaches(HIGH - REACH, PAGE, LOW, HIGH));
    assert_false(near_reaches(HIGH - REACH - 1, PAGE, LOW, HIGH));
    assert_true(near_reaches(LOW + REACH - PAGE, PAGE, LOW, HIGH));
    assert_false(near_reaches(LOW + REACH - PAGE + 1, PAGE, LOW, HIGH));
    assert_true(near_reaches(LOW, PAGE, LOW, HIGH));
}

static int mapped_code;

static int code_map(void *memory, const void *code, size_t bytes)
{
    assert_ptr_equal(memory, code);
    assert_int_equal(bytes, 3 * PAGE);
    mapped_code++;
    return -EPERM;
}

/* Executable, and not writable any more. */
static void test_seal(void **state)
{
    static const struct shim_machine machine = {.code_map = code_map};
    const struct shim shim = {.machine = &machine};
    uint8_t *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int (*function)(void);
    int pipe_ends[2];

    (void)state;
    memcpy(memory, "\xb8\x2a\0\0\0\xc3", 6); /* mov $42, %eax; ret */
    assert_int_equal(near_seal(&shim, memory, 3 * PAGE), 0);
    *(void **)&function = memory;
    assert_int_equal(function(), 42);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(write(pipe_ends[1], "xx", 2), 2);
    assert_int_equal(read(pipe_ends[0], memory + 2 * PAGE, 1), -1); /* the kernel may not write there */
    assert_int_equal(errno, EFAULT);
    assert_int_equal(mapped_code, 0);
    assert_int_equal(munmap(memory, 3 * PAGE), 0);
    assert_int_equal(near_seal(&shim, memory, 3 * PAGE), -EPERM);
    assert_int_equal(mapped_code, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below), cmocka_unit_test(test_above), cmocka_unit_test(test_taken),
        cmocka_unit_test(test_trial), cmocka_unit_test(test_reach), cmocka_unit_test(test_seal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
