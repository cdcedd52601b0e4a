/* Very many jumps that no library sees, over tracked calls: what each leaves behind is found and used again. */
#include "victim.h"

#include <stdio.h>

#include "resident.h"

static void *buffer[5]; /* of __builtin_setjmp */

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int jump(int value)
{
    TOUCH();
    if (value >= 0)
        __builtin_longjmp(buffer, 1);
    return value;
}

TRACKED int jump_deep(int depth, int value)
{
    int result;

    TOUCH();
    result = depth == 0 ? jump(value) : jump_deep(depth - 1, value);
    TOUCH();
    return result;
}

__attribute__((noinline)) static void jump_once(int value)
{
    if (__builtin_setjmp(buffer) == 0)
        jump_deep(3, value);
}

static void all(void)
{
    enum {
        TIMES = 100000
    };
    long settled_kb = 0;

    for (int i = 0; i < TIMES; i++) {
        if (i == TIMES / 4)
            settled_kb = resident_kb();
        jump_once(i);
        CHECK(work(i) == i + 1);
    }
    resident_check("the jumps after the first ones", settled_kb, 1024);
    printf("truth work success=%d\n", TIMES);
    printf("truth jump abandoned=%d\n", TIMES);
    printf("truth jump_deep abandoned=%d\n", TIMES * 4);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", all}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
