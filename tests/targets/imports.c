/* Calls a library through its import tables: bound lazily or at the start, with and without a PLT. */
#include "imports-library.h"
#include "victim.h"

#include <dlfcn.h>
#include <stdlib.h>

/* As compilers do it without a PLT, where a function is called more than once. Behind the loop another function begins,
 * where the check of the stack does not come back. */
TRACKED int hold_in_a_register(int rounds)
{
    int (*held)(int);
    int sum = 0;

    __asm__("movq imports_held@GOTPCREL(%%rip), %0" : "=r"(held));
    for (int i = 0; i < rounds; i++)
        sum += held(i);
    return sum;
}

/* Two calls in a loop: without a PLT, compilers keep the address in a register. */
TRACKED int work_in_rounds(int rounds)
{
    char text[64];
    int sum = 0;

    for (int i = 0; i < rounds; i++) {
        snprintf(text, sizeof(text), "%d", i);
        sum += imports_work(i);
        sum += imports_work(i + (text[0] == 'x'));
    }
    return sum;
}

static void calls(void)
{
    CHECK(work_in_rounds(1000) == 799600);
    for (int i = 0; i < 20; i++)
        CHECK(imports_again(i) == (i % 5 ? i : -1));
    for (int i = 0; i < 100; i++)
        CHECK(imports_outer(i) == i + 1);
    for (int i = 0; i < 50; i++)
        CHECK(imports_inner(i) == i + 1);
    printf("truth imports_work success=1616 error=404\n");
    printf("truth imports_outer success=100\n");
    printf("truth imports_inner success=150\n");
}

static void registers(void)
{
    /* It begins by saving these. */
    __asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15");
    CHECK(hold_in_a_register(100) == 4950 + 200);
    printf("truth imports_held success=100\n");
}

int imports_versioned_1(void);
__asm__(".symver imports_versioned_1, imports_versioned@VICTIM_1");

static void versions(void)
{
    for (int i = 0; i < 7; i++)
        CHECK(imports_versioned_1() == 1);
    for (int i = 0; i < 11; i++)
        CHECK(imports_versioned() == 2);
    printf("truth imports_versioned@VICTIM_1 success=7\n");
    printf("truth imports_versioned@VICTIM_2 success=11\n");
}

static void ifunc(void)
{
    for (int i = 0; i < 13; i++)
        CHECK(imports_picked(i) == 3 * i);
    printf("truth imports_picked success=13\n");
}

/* A program may look at a function's address, and it must be the same from everywhere. */
static void pointers(void)
{
    int (*volatile pointer)(int) = imports_pointer;
    Dl_info info;

    CHECK((void *)pointer == dlsym(RTLD_DEFAULT, "imports_pointer"));
    CHECK(dladdr((void *)pointer, &info) && info.dli_sname && strcmp(info.dli_sname, "imports_pointer") == 0);
    for (int i = 0; i < 17; i++) {
        CHECK(imports_pointer(i) == 2 * i);
        CHECK(pointer(i) == 2 * i);
        CHECK(imports_apply(imports_pointer, i) == 2 * i);
    }
    printf("truth imports_apply success=17\n");
}

static void replaced(void)
{
    printf("%s\n", imports_replaced());
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"calls", calls},       {"registers", registers}, {"versions", versions}, {"ifunc", ifunc},
        {"pointers", pointers}, {"replaced", replaced},   {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
