#include "imports-library.h"

#include "victim.h"

#ifdef IMPORTS_PRELOADED

TRACKED const char *imports_replaced(void)
{
    TOUCH();
    return "the preloaded library's";
}

#else

TRACKED int imports_work(int value)
{
    TOUCH();
    return value % 5 == 0 ? -1 : value;
}

TRACKED int imports_again(int value) __attribute__((alias("imports_work")));

TRACKED int imports_inner(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int imports_held(int value)
{
    TOUCH();
    return value + 2;
}

TRACKED int imports_outer(int value)
{
    int result = imports_inner(value);

    TOUCH();
    return result;
}

TRACKED int imports_pointer(int value)
{
    TOUCH();
    return 2 * value;
}

TRACKED int imports_apply(int (*callback)(int), int value)
{
    int result = callback(value);

    TOUCH();
    return result;
}

TRACKED const char *imports_replaced(void)
{
    TOUCH();
    return "the library's";
}

int versioned_1(void);
int versioned_2(void);
__asm__(".symver versioned_1, imports_versioned@VICTIM_1");
__asm__(".symver versioned_2, imports_versioned@@VICTIM_2");

TRACKED int versioned_1(void)
{
    TOUCH();
    return 1;
}

TRACKED int versioned_2(void)
{
    TOUCH();
    return 2;
}

static int picked(int value)
{
    TOUCH();
    return 3 * value;
}

static int (*pick(void))(int)
{
    return picked;
}

TRACKED int imports_picked(int value) __attribute__((ifunc("pick")));

#endif
